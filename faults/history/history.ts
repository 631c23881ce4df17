import type { Lane, Provider } from '../../src/push/push-kinds.ts'

/**
 * What a fault run saw: what clients asked, what vendors got, what the database says, none of them knowing of the others; and what
 * was done to the system. All times are milliseconds since the epoch on the one clock of the machine.
 */
export interface History {
  items: readonly Item[]
  answers: readonly ClientAnswer[]
  receipts: readonly Receipt[]
  rows: readonly LoggedPush[]
  /** Ids of what the messages lane still owes. */
  pending: readonly string[]
  tries: readonly LoggedTry[]
  disruptions: readonly Disruption[]
  exits: readonly Exit[]
  /** Everything that the programs said. */
  outputs: readonly { name: string; text: string }[]
  /** When the process that asked was late itself. */
  lags: readonly Lag[]
  phases: Phases
}

/** `async`: not waiting for the outcome; `waited`: for the vendor's answer; `held`: for the phone; `stored`: a message. */
export type Mode = 'async' | 'waited' | 'held' | 'stored'

/** A push that was asked for, however often. */
export interface Item {
  /** By it the three logs know the push: the SIP Call-ID of a call, the id of a message. */
  subject: string
  lane: Lane
  mode: Mode
  provider: Provider
  token: string
  /** Seconds that it is worth sending, when it is not the usual time. */
  ttl?: number
  /** The states in which it may end. */
  ends: readonly string[]
}

/** One request of a client and its answer. */
export interface ClientAnswer {
  subject: string
  sentAt: number
  answeredAt: number
  /** 0: the connection broke, or nobody answered. */
  status: number
  hasRetryAfter: boolean
  pushId?: string
  /** Of a held call. */
  outcome?: string
}

/** One request that arrived at a vendor. */
export interface Receipt {
  at: number
  provider: Provider
  subject: string
  /** Of Google's calls there is none. */
  pushId?: string
  /** 0: no answer was given. */
  status: number
  reason?: string
}

/** A row of push_logs. */
export interface LoggedPush {
  id: string
  callId?: string
  state: string
  tokenState: string
  reason?: string
  expiresAt: number
  closedAt?: number
}

/** A row of push_attempts with the vendor's answer in it. */
export interface LoggedTry {
  pushId: string
  status: number
}

/** What may cost a second notification: the worker of a lane died or was frozen, or no claim could be seen. */
export interface Disruption {
  kind: 'killed' | 'frozen' | 'store'
  lane: Lane
  at: number
  until: number
}

export interface Exit {
  name: string
  code: number | null
  signal: string | null
  /** What we did to it: it was killed, or told to stop. */
  asked: 'killed' | 'stopped' | 'nothing'
}

export interface Lag {
  at: number
  ms: number
}

export interface Phases {
  begunAt: number
  hurtAt: number
  healedAt: number
  /** When the last request was answered. */
  askedAt: number
}

/** A statement about every history, and what in this one contradicts it. */
export interface Violation {
  equation: string
  /** How often. */
  count: number
  /** A few of them. */
  examples: readonly string[]
}

export const TERMINAL: readonly string[] = ['delivered', 'token_dead', 'rejected', 'expired', 'failed']

/** The vendor took it, or gave no answer: the phone may have rung. A refusal rings nowhere, nor does what a GOAWAY excludes. */
export const mayRing = ({ status, reason }: Receipt): boolean =>
  status === 200 || (status === 0 && reason !== 'goaway_before')
