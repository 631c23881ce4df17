import { type ApnsRequest, header } from './apns-request.ts'

/** What a person or the icon notices: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification */
const VISIBLE = ['alert', 'badge', 'sound']

type Aps = Readonly<Record<string, unknown>>

/** What the payload of each push type has to say, where Apple says so; the answer is what is wrong with it. */
const EXPECTED: ReadonlyMap<string, (aps: Aps) => string | undefined> = new Map([
  [
    'alert',
    (aps: Aps) =>
      VISIBLE.some((key) => key in aps) ? undefined : 'an alert push without alert, badge or sound',
  ],
  [
    'background',
    (aps: Aps) => {
      if (aps['content-available'] !== 1) return 'a background push without content-available: 1'
      const visible = VISIBLE.find((key) => key in aps)
      return visible === undefined ? undefined : `a background push with ${visible}`
    },
  ],
])

/**
 * Where the push type does not reflect the payload. Apple "may return an error, delay the delivery of the notification, or drop it",
 * and promises none of these, so it is written down and not refused:
 * https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
 */
export function findMismatch({ headers, payload }: ApnsRequest): string | undefined {
  const aps = payload?.aps ?? {}
  if (typeof aps !== 'object' || Array.isArray(aps)) return 'aps is not an object'
  return EXPECTED.get(header(headers, 'apns-push-type') ?? '')?.(aps as Aps)
}
