import { SECOND } from '../lib/units.ts'
import { type FcmReceived, isObject } from './fcm-protocol.ts'

/** Seconds: https://firebase.google.com/docs/cloud-messaging/customize-messages/setting-message-lifespan */
const LONGEST_KEPT = 2_419_200

const androidOf = ({ message }: FcmReceived): Readonly<Record<string, unknown>> =>
  isObject(message.android) ? message.android : {}

/** How Google keeps messages for a phone that is off line: each by itself, or the newest per collapse key. */
export const fcmKeeping = {
  slotOf(push: FcmReceived): unknown {
    const android = androidOf(push)
    return android.collapse_key ?? android.collapseKey ?? push
  },
  keepUntil(push: FcmReceived): number {
    const { ttl } = androidOf(push)
    return push.at + (typeof ttl === 'string' ? Number.parseFloat(ttl) : LONGEST_KEPT) * SECOND
  },
}
