import { DAY, SECOND } from '../lib/units.ts'
import type { ApnsReceived } from './apns-protocol.ts'
import { header } from './apns-request.ts'

/** https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns */
const LONGEST_KEPT = 30 * DAY

/**
 * How Apple keeps pushes for a phone that is off line: until `apns-expiration`, with 0 not at all. Without the header it keeps
 * them, too, and does not say for how long.
 */
export const apnsKeeping = {
  /** The newest per collapse id; those that have none are one of a kind, as all pushes of an app once were. */
  slotOf: ({ topic, headers }: ApnsReceived): string =>
    `${topic} ${header(headers, 'apns-collapse-id') ?? ''}`,

  keepUntil({ at, headers }: ApnsReceived): number {
    const expiration = header(headers, 'apns-expiration')
    const longest = at + LONGEST_KEPT
    return expiration === undefined ? longest : Math.min(Number(expiration) * SECOND, longest)
  },
}
