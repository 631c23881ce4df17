import { SECOND } from '../lib/units.ts'
import type { SkipReason } from '../push/push-result.ts'
import type { NotifyMode } from './chat.ts'
import { STAGE, type Stage } from './outbox-store.ts'
import { isQuiet, type PushSettings } from './push-settings.ts'

/** How long a phone whose app is open may take to have a message before it is pushed after all. */
export const GRACE_MS = 3 * SECOND

/** All that decides whether somebody's phones are told of a message. Times are milliseconds since the epoch. */
export interface NoticeFacts {
  message: { seq: number; createdAt: number; isDeleted: boolean; mentionsHim: boolean }
  /** Undefined: he is in the conversation no more. */
  participant?: { notify: NotifyMode; mutedUntil?: number; lastReadSeq: number }
  /** Do-not-disturb of the extension, for calls and all else. */
  dnd: boolean
  settings: PushSettings
  /** The number of the event that tells him. */
  eventSeq: number
  devices: readonly DeviceFacts[]
}
export interface DeviceFacts {
  id: string
  hasToken: boolean
  /** Up to which event the phone has them all. */
  ackedSeq: number
  /** Its app is open before somebody's eyes. */
  isAttentive: boolean
}

export interface NoticeDecision {
  /** Phones to push to, now. */
  push: string[]
  /** Phones that are told nothing, and why; without an id all of them. Those that have the message already are not named. */
  withheld: { deviceId?: string; reason: SkipReason }[]
  /** When to look at him again. */
  next?: { stage: Stage; dueAt: number }
}

/**
 * He is told nothing, and has one more to read all the same: the number on the icon follows in silence. Of all else his phones know, or
 * are told when it happens.
 */
export const leavesBadgeBehind = (reason: SkipReason): boolean =>
  reason === 'muted' || reason === 'dnd' || reason === 'acked_by_user'

/** Why none of his phones is told, if none is. */
export function reasonForNone(facts: NoticeFacts, now: number): SkipReason | undefined {
  const { message, participant, dnd, settings } = facts
  if (message.isDeleted) return 'deleted'
  if (!participant) return 'left'
  if (participant.lastReadSeq >= message.seq) return 'read'
  if (isMuted(participant, message.mentionsHim, now)) return 'muted'
  if (dnd || isQuiet(settings, now)) return 'dnd'
  return undefined
}

export function isMuted(
  { notify, mutedUntil = 0 }: { notify: NotifyMode; mutedUntil?: number },
  mentionsHim: boolean,
  now: number,
): boolean {
  return mutedUntil > now || notify === 'none' || (notify === 'mentions' && !mentionsHim)
}

/**
 * Nobody asks who is online: what counts is which phone has the message. One whose app is open gets a moment to say so; every other one
 * is pushed at once.
 */
export function decideNotice(facts: NoticeFacts, stage: Stage, now: number): NoticeDecision {
  const none = reasonForNone(facts, now)
  if (none) return { push: [], withheld: [{ reason: none }] }
  const { devices, settings, eventSeq, message } = facts
  const able = devices.filter(({ hasToken }) => hasToken)
  if (able.length === 0) return { push: [], withheld: [{ reason: 'no_token' }] }
  const hasIt = ({ ackedSeq }: DeviceFacts) => ackedSeq >= eventSeq
  const missing = able.filter((device) => !hasIt(device))
  const all = { push: missing.map(({ id }) => id), withheld: [] }
  if (stage === STAGE.escalation || missing.length === 0) return all

  const grace = { stage: STAGE.grace, dueAt: now + GRACE_MS }
  if (settings.pushWhen === 'always') return all
  if (settings.pushWhen === 'this_device_not_acked') {
    if (stage === STAGE.grace || !missing.some(({ isAttentive }) => isAttentive)) return all
    return {
      push: missing.flatMap(({ id, isAttentive }) => (isAttentive ? [] : [id])),
      withheld: [],
      next: grace,
    }
  }
  if (devices.some(hasIt)) {
    const dueAt = message.createdAt + settings.escalateAfterSeconds * SECOND
    if (settings.escalateAfterSeconds > 0) {
      return { push: [], withheld: [], next: { stage: STAGE.escalation, dueAt } }
    }
    return { push: [], withheld: missing.map(({ id }) => ({ deviceId: id, reason: 'acked_by_user' })) }
  }
  if (stage === STAGE.first && devices.some(({ isAttentive }) => isAttentive)) {
    return { push: [], withheld: [], next: grace }
  }
  return all
}
