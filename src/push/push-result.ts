import type { ClosedState } from './push.ts'

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
  /** When a worker took it up, when the request left for the provider, when the answer was there. */
  startedAt?: number
  sentAt?: number
  answeredAt?: number
  closedAt: number
}

/** Reasons of our own; those of the providers are in their tables. */
export const OWN_REASONS = {
  expired: 'The call was over before the push could be sent, so it was not sent.',
  worker_lost:
    'A worker stopped while it was sending; whether the phone rang is not known, so it was not sent again.',
  no_outcome: 'No worker reported an outcome before the push expired.',
  queue_unavailable: 'The queue could not be reached, so nothing was sent.',
} as const
export type OwnReason = keyof typeof OWN_REASONS

export const because = (reason: OwnReason) => ({ reason, detail: OWN_REASONS[reason] })
