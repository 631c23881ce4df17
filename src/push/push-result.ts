import type { FaultClass, Outcome } from './outcome.ts'
import type { ApnsEnvironment, ClosedState } from './push.ts'

/** What we think of a device token: a suspect one is kept in quarantine until a second opinion. */
export type TokenState = 'valid' | 'quarantined' | 'dead'

/** How a push ended: what the caller is told, what the row says. Times are milliseconds since the epoch. */
export interface PushResult {
  id: string
  state: ClosedState
  attempts: number
  /** Stable word: the provider's own reason or ours, such as `expired`. */
  reason?: string
  /** A sentence for people. */
  detail?: string
  /** The phone may have rung all the same: the request had left when its fate was lost. */
  uncertain?: true
  /** The provider's id of the accepted notification. */
  providerId?: string
  /** The HTTP status of the provider's last answer. */
  providerStatus?: number
  /** Apple's gateway that was asked, where it is another one than the push named. */
  environment?: ApnsEnvironment
  /** Absent: valid, as far as we know. */
  tokenState?: Exclude<TokenState, 'valid'>
  /** When a worker took it up, when the request left for the provider, when the answer was there. */
  startedAt?: number
  sentAt?: number
  answeredAt?: number
  closedAt: number
}

/** One try that was not accepted. */
export interface PushAttempt {
  /** 1 for the first. */
  number: number
  /** Apple's gateway that was asked; a suspect token is tried at both. */
  environment: ApnsEnvironment
  sentAt: number
  answeredAt: number
  outcome: Exclude<Outcome['kind'], 'accepted'>
  class: FaultClass
  status?: number
  reason: string
}

/** Reasons of our own; those of the providers are in their tables. */
export const OWN_REASONS = {
  expired: 'The time for the push was over before it could be sent, so it was not sent.',
  worker_lost:
    'A worker stopped while it was sending; whether the phone rang is not known, so it was not sent again.',
  no_outcome: 'No worker reported an outcome before the push expired.',
  queue_unavailable: 'The queue could not be reached, so nothing was sent.',
  poison: 'Workers died of this push over and over, so it was parked.',
  unreadable: 'The push could not be read back: it was sealed with another secret, or altered.',
} as const

/** Why nobody needs a push any more. */
export const SKIP_REASONS = {
  deleted: 'What it tells of was deleted.',
  read: 'It was read before the push could be sent.',
  acked_by_device: 'The phone had it before the push could be sent.',
  acked_by_user: 'Another phone of the same person had it before the push could be sent.',
  muted: 'The conversation is muted, or tells only of mentions.',
  dnd: 'The extension does not want to be disturbed.',
  left: 'The extension is in the conversation no more.',
  no_token: 'The phone is not this extension’s any more, or has no token that takes notifications.',
  unlicensed: 'No licence of the tenant lets messages be pushed.',
  over_limit: 'The licences of the tenant had no pushes left.',
  superseded:
    'A newer message of the same conversation is there or on its way, and shows how many there are.',
} as const
export type SkipReason = keyof typeof SKIP_REASONS

export const skipBecause = (reason: SkipReason) =>
  ({ state: 'skipped', reason, detail: SKIP_REASONS[reason] }) as const
export type OwnReason = keyof typeof OWN_REASONS

export const because = (reason: OwnReason) => ({ reason, detail: OWN_REASONS[reason] })
