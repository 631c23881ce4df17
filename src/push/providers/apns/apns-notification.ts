import type { Push } from '../../push.ts'
import type { PushKind } from '../../push-kinds.ts'
import { collapseIdOf } from '../collapse-id.ts'
import { fitDisplay } from '../fit-display.ts'
import { type Display, describePayload } from '../payload-content.ts'
import { createApnsBody } from './apns-payload.ts'
import type { ApnsRequest } from './apns-reply.ts'

/** Bytes: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification */
export const MAX_PAYLOAD = 4_096
export const MAX_VOIP_PAYLOAD = 5_120

/** How Apple takes each kind. A call is the only VoIP push: iOS ends an app that gets another one and reports no call. */
const DELIVERY = {
  call: { pushType: 'voip', priority: 10 },
  cancel: { pushType: 'background', priority: 5 },
  missed_call: { pushType: 'alert', priority: 10 },
  voicemail: { pushType: 'alert', priority: 10 },
  message: { pushType: 'alert', priority: 10 },
  badge: { pushType: 'alert', priority: 5 },
  background: { pushType: 'background', priority: 5 },
} as const satisfies Record<PushKind, Pick<ApnsRequest, 'pushType' | 'priority'>>

/**
 * The request of a push. `undefined` when it exceeds Apple's limit without anything that is only display.
 * @param bundleId Apple wants VoIP pushes at the topic `<bundleId>.voip`.
 * @param isBare Without display from the start.
 */
export function createApnsRequest(push: Push, bundleId: string, isBare = false): ApnsRequest | undefined {
  const isCall = push.kind === 'call'
  const content = describePayload(push)
  const build = (display: Display) => createApnsBody(push, content, display)
  const limit = isCall ? MAX_VOIP_PAYLOAD : MAX_PAYLOAD
  const measure = { limit, sizeOf: (body: string) => Buffer.byteLength(body), sizeOfText: sizeInJson }
  const body = fitDisplay(isBare ? {} : content.display, build, measure)
  if (body === undefined) return undefined
  return {
    token: push.token,
    id: push.id,
    topic: isCall ? `${bundleId}.voip` : bundleId,
    ...DELIVERY[push.kind],
    // A fraction is an error at Apple; rounding up would let a call ring after its end.
    expiration: Math.floor(push.expiresAt / 1_000),
    ...(!isCall && { collapseId: collapseIdOf(push) }),
    body,
  }
}

/** Bytes without the quotes: escapes count as what they become. */
const sizeInJson = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2
