import type { AuthRequest, AuthScheme } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import type { Events } from '../observability/events.ts'
import type { KnownLicenses } from './known-licenses.ts'
import type { KeyedLicense } from './license.ts'
import { graceOf, refusalOf } from './license-checks.ts'

export interface LicenseAuthDeps {
  knownLicenses: KnownLicenses
  clock: Clock
  /** How long pushes go on after a licence has ended. */
  graceMs: number
  events: Pick<Events, 'licenseGrace'>
}

/**
 * The licence key of a PBX, from the body or else from `X-License-Key`. Licences never kill calls: one that has just ended, or
 * cannot be looked up, is good for a while, and `X-License-Warning` says so.
 */
export function createLicenseAuth({
  knownLicenses,
  clock,
  graceMs,
  events,
}: LicenseAuthDeps): AuthScheme<KeyedLicense> {
  return {
    name: 'license-key',
    stage: 'after-body',
    require: (request) => void keyOf(request),
    async verify(request) {
      const facts = await knownLicenses.find(keyOf(request)).catch((cause: unknown) => {
        throw new Problem('store_unavailable', { sentence: 'internal error', retryAfter: 1, cause })
      })
      const judged = { ...facts, now: clock.now(), graceMs }
      const refusal = refusalOf(judged)
      if (refusal || !facts.license) {
        throw new Problem('license_invalid', {
          ...(refusal && { code: refusal.code, extra: { hint: refusal.hint } }),
        })
      }
      const graceUntil = graceOf(judged)
      if (graceUntil !== undefined) {
        request.setHeader('X-License-Warning', `EXPIRED; until=${new Date(graceUntil).toISOString()}`)
        events.licenseGrace('expired')
      } else if (facts.isStale) {
        request.setHeader('X-License-Warning', 'UNVERIFIED')
        events.licenseGrace('store_unavailable')
      }
      return facts.license
    },
  }
}

function keyOf({ headers, body }: AuthRequest): string {
  const inBody = (body as { license_key?: unknown } | null | undefined)?.license_key
  // A key that is no string is a fault of the body, which the schema reports.
  if (typeof inBody === 'string' && inBody !== '') return inBody
  const inHeader = headers['x-license-key']
  if (typeof inHeader === 'string' && inHeader !== '') return inHeader
  if (inBody !== undefined && typeof inBody !== 'string')
    throw new Problem('invalid_request', { field: 'license_key' })
  throw new Problem('license_key_required')
}
