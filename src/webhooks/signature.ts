import { createHmac, randomBytes } from 'node:crypto'
import { SECOND } from '../lib/units.ts'

const PREFIX = 'whsec_'
const SECRET_BYTES = 32

/** The prefix lets a person, and a scanner of leaked secrets, know what it is. */
export const newSecret = (): string => PREFIX + randomBytes(SECRET_BYTES).toString('base64url')

/**
 * The value of `Wakeline-Signature`: `t=<unix seconds>,v1=<hex>`, with one `v1` per secret. What is signed is `<t>.<body>`, by
 * HMAC-SHA256 (RFC 2104) with the whole secret, prefix and all, as the key. The time is in it so that a receiver can refuse
 * what somebody recorded and sends again.
 *
 * @param at milliseconds since the epoch
 */
export function sign(body: string, secrets: readonly string[], at: number): string {
  const t = Math.floor(at / SECOND)
  const signatures = secrets.map(
    (secret) => `v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`,
  )
  return [`t=${t}`, ...signatures].join(',')
}
