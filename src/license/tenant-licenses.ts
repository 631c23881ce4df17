import type { Clock } from '../lib/clock.ts'
import { createKeyCache } from '../lib/key-cache.ts'
import { Problem } from '../lib/problem.ts'
import type { License } from './license.ts'
import { type LicenseRefusal, refusalOf } from './license-checks.ts'
import { fromStore } from './license-refusal.ts'
import type { LicenseStore } from './license-store.ts'
import { type LicenseWarning, warningsOf } from './license-warnings.ts'
import type { Entitlement } from './tiers.ts'

export interface TenantLicensesDeps {
  licenses: Pick<LicenseStore, 'ofTenant'>
  clock: Clock
  /** How long pushes go on after a licence has ended. */
  graceMs: number
  /** How long known licences are good while the store is away. */
  staleMs: number
  onError(error: unknown): void
}

export interface GoodLicenses {
  /** Never empty: the one that comes first is used first. */
  licenses: readonly [License, ...License[]]
  warnings: readonly LicenseWarning[]
}

/**
 * What a tenant's licences are good for, whoever speaks for it. Remembered as licences are that were found by a key: a change
 * reaches every node within 5 s, and while the store is away they stay what they were.
 */
export function createTenantLicenses(deps: TenantLicensesDeps) {
  const cache = createKeyCache<readonly License[]>({
    find: (tenantId) => deps.licenses.ofTenant(tenantId),
    onError: deps.onError,
    staleMs: deps.staleMs,
  })
  return {
    /** Those in force that include this, each with its grace. Throws the 403 of the check that fails when there are none. */
    async inForce(tenantId: string, need: Entitlement): Promise<GoodLicenses> {
      const { found = [], isStale } = await fromStore(cache.get(tenantId))
      const judged = found.map((license) => {
        const facts = { license: { ...license, key: NO_KEY }, now: deps.clock.now(), graceMs: deps.graceMs }
        const refusal = refusalOf({ ...facts, needs: [need] })
        return { license, refusal, warnings: warningsOf({ ...facts, isStale }) }
      })
      const [first, ...others] = judged.filter(({ refusal }) => !refusal).sort(byUse)
      if (!first) throw refuseAll(judged.map(({ refusal }) => refusal))
      return {
        licenses: [first.license, ...others.map(({ license }) => license)],
        warnings: first.warnings,
      }
    },
  }
}
export type TenantLicenses = ReturnType<typeof createTenantLicenses>

/** Nobody showed one, so none can be replaced. */
const NO_KEY = { prefix: '' }

interface Judged {
  license: License
  warnings: readonly LicenseWarning[]
}
/** What has ended comes last, and the largest first. */
const byUse = (one: Judged, other: Judged): number =>
  one.warnings.length - other.warnings.length ||
  other.license.maxExtensions - one.license.maxExtensions ||
  one.license.createdAt - other.license.createdAt

/** One that is in force and too small says most; else the newest one does. */
function refuseAll(refusals: readonly (LicenseRefusal | undefined)[]): Problem {
  const use = refusals.find((refusal) => refusal?.about === 'use')
  if (use) return new Problem('not_entitled', { code: use.code, extra: { hint: use.hint } })
  const [newest] = refusals
  return new Problem('license_invalid', {
    sentence: 'no licence of this tenant is in force',
    code: newest?.code ?? 'NOT_FOUND',
    extra: { hint: newest?.hint ?? 'this tenant has no licence' },
  })
}
