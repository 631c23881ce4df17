import type { FidMessage, TokenMessage } from 'firebase-admin/messaging'
import { DAY } from '../../../lib/units.ts'
import type { Push } from '../../push.ts'
import type { PushKind } from '../../push-kinds.ts'
import { collapseIdOf } from '../collapse-id.ts'
import { fitDisplay } from '../fit-display.ts'
import { type Display, describePayload, type PayloadContent } from '../payload-content.ts'

/** Bytes of keys and values: https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type */
export const MAX_DATA = 4_096
/** https://firebase.google.com/docs/cloud-messaging/customize-messages/setting-message-lifespan */
const MAX_TTL = 28 * DAY

/** Which of Google's priorities each kind has; those without an effect that people see would use up the app's urgent ones. */
const PRIORITY = {
  call: 'high',
  cancel: 'high',
  missed_call: 'high',
  voicemail: 'high',
  message: 'high',
  badge: 'normal',
  background: 'normal',
} as const satisfies Record<PushKind, 'high' | 'normal'>

/** With a token or an installation id. */
export type FcmMessage = FidMessage | TokenMessage

type Data = Record<string, string>

/**
 * Data only: the one kind of message that the app itself gets in every state of the phone, and with high priority the one that wakes
 * it from Doze. https://firebase.google.com/docs/cloud-messaging/android/message-priority
 * @param now Milliseconds since the epoch. @returns `undefined` when it exceeds Google's limit without anything that is only display.
 */
export function createFcmMessage(push: Push, now: number): FcmMessage | undefined {
  const content = describePayload(push)
  const build = (display: Display) => dataOf(push, content, display)
  const measure = {
    limit: MAX_DATA,
    sizeOf: sizeOfData,
    sizeOfText: (text: string) => Buffer.byteLength(text),
  }
  const data = fitDisplay(content.display, build, measure)
  if (!data) return undefined
  const isCollapsible = push.kind === 'badge' || push.kind === 'background'
  return {
    ...(push.tokenKind === 'fcm_fid' ? { fid: push.token } : { token: push.token }),
    data,
    android: {
      priority: PRIORITY[push.kind],
      // Milliseconds. A call that has ended must not ring when the phone comes back into coverage.
      ttl: Math.min(Math.max(0, push.expiresAt - now), MAX_TTL),
      // Google keeps four collapse keys per phone at a time and drops which it likes of more, so there is none per conversation or
      // call: the app finds duplicates by collapse_id and push_id.
      ...(isCollapsible && { collapseKey: push.kind }),
    },
  }
}

function dataOf(push: Push, content: PayloadContent, { text, title, name }: Display): Data {
  const { type, facts, nameKey, badge, sound, data } = content
  const display = { [nameKey]: name, title, text, badge: badge?.toString(), sound }
  const shown = Object.entries(display).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...data, type, ...idsOf(push), ...facts, ...Object.fromEntries(shown) }
}

function idsOf(push: Push): Data {
  switch (push.kind) {
    case 'call':
      return {}
    case 'badge':
    case 'background':
      return { push_id: push.id }
    default:
      return { push_id: push.id, collapse_id: collapseIdOf(push) }
  }
}

const sizeOfData = (data: Data): number =>
  Object.entries(data).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  )
