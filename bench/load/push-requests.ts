import { randomBytes } from 'node:crypto'
import { httpRequest } from './http-request.ts'
import { callIdOf } from './stamp.ts'

/** So many that none of them meets the limit of one phone. */
const TOKENS = 100_000

/** `POST /v1/push` as FlowPBX sends it, to ever other phones; the numbers tell the pushes apart. */
export function createPushRequests(licenseKey: string, tag: string) {
  const tokens = Array.from({ length: TOKENS }, () => randomBytes(32).toString('hex'))
  let number = 0
  return {
    get count() {
      return number
    },
    next(stamp: number): string {
      number += 1
      const body = {
        license_key: licenseKey,
        push_token: tokens[number % TOKENS],
        push_platform: 'apns',
        caller_id: '0301234567',
        caller_name: 'Ada Lovelace',
        call_id: callIdOf(tag, number, stamp),
      }
      return httpRequest('POST', '/v1/push', { body })
    },
  }
}
