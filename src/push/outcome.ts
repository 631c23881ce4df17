import type { Push } from './push.ts'

/**
 * Whose fault an answer is. `token`: this phone's token. `message`: our payload or headers. `config`: key, topic, project or
 * account, which an operator has to mend. `provider_token`: our proof of identity is out of date. `transient`: the vendor, for a
 * while. `unknown`: nobody can say whether the push arrived.
 */
export type FaultClass = 'token' | 'message' | 'config' | 'provider_token' | 'transient' | 'unknown'

interface Fault {
  /** The vendor's own word, or ours in snake case where the vendor gave none. */
  reason: string
  /** A sentence for people; never holds a device token. */
  detail: string
  /** The HTTP status of the vendor's answer, if there was one. */
  status?: number
}

/** What a provider said about one try. Nothing outside `providers/` knows a vendor's codes. */
export type Outcome =
  | { kind: 'accepted'; providerId: string }
  /** The token will never work again, as of `deadSince` (ms since the epoch) when the vendor says so. */
  | ({ kind: 'token_dead'; class: 'token'; deadSince?: number } & Fault)
  /**
   * Worth another try while the deadline allows; the vendor may ask for a pause (ms). `isOfPhone` when it had enough of this phone
   * alone: then a call is worth one more try, and the provider is not to blame.
   */
  | ({
      kind: 'retry'
      class: 'transient' | 'provider_token'
      retryAfterMs?: number
      isOfPhone?: true
      needsOperator?: true
    } & Fault)
  /**
   * Not as it is. With class `token` the token is suspect and goes into quarantine, because a wrong configuration looks the
   * same; `tryOtherEnvironment` when Apple's other gateway may know it. Anything else is loud and costs no token.
   */
  | ({
      kind: 'rejected'
      class: 'token' | 'message' | 'config'
      tryOtherEnvironment?: true
    } & Fault)
  /** The request left and no answer came: it may have rung, so a call is not blindly sent again. */
  | ({ kind: 'unknown'; class: 'unknown' } & Fault)
export type Failure = Exclude<Outcome, { kind: 'accepted' }>

/** Whether a person has to mend something before pushes like this one get through. */
export const needsOperator = (outcome: Outcome): outcome is Failure =>
  (outcome.kind === 'rejected' && outcome.class === 'config') ||
  (outcome.kind === 'retry' && outcome.needsOperator === true)

/** Why a push cannot be accepted at all, as told to whoever asked for it. */
export interface Refusal {
  code: 'malformed_token' | 'payload_too_large' | 'wrong_token_kind'
  sentence: string
}

/** A way to the phones of one vendor. Connections persist between sends. */
export interface PushProvider {
  /**
   * Begins what the first call would otherwise wait for: a connection, a proof of identity. Resolves soon or late, and never rejects:
   * whatever is in the way then, the first push meets again.
   */
  warmUp(): Promise<void>
  /** What the vendor would refuse for sure, found before the push is queued. Touches no network. */
  check(push: Push): Refusal | undefined
  /**
   * One try. Resolves to an outcome for everything a vendor or the network can do; `signal` aborts when the push's
   * deadline passes, which ends as `unknown` once the request has left.
   */
  send(push: Push, signal: AbortSignal): Promise<Outcome>
  close(): Promise<void>
}
