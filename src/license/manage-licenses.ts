import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { DAY } from '../lib/units.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import { type Renewal, renewedEnd, type TermChange, withTerms } from './change-license.ts'
import { addLicenseKey, createLicense, type LicenseTerms } from './create-license.ts'
import { addPbxKey, addTenant } from './create-tenant.ts'
import type { Actor, License, LicenseAction } from './license.ts'
import { keyPrefix } from './license-key.ts'
import type { LicenseRecords, LicenseRecordsStore } from './license-records-store.ts'
import { describeTerms, stateOf } from './license-views.ts'

/** Keys of one licence that work at the same time: a rotation that is not over, and a few more. */
export const MAX_KEYS = 5
export const OVERLAP_DAYS = { default: 7, max: 90 } as const

/** For a tenant there is, or for one that is made with it. */
export type NewLicense = Omit<LicenseTerms, 'tenantId'> &
  ({ tenantId: string } | { tenantName: string; withPbxKey: boolean })

export interface Created {
  license: License
  /** In clear here and nowhere else, like the PBX key. */
  key: string
  pbxKey?: string
}

/** A licence after an operation. `changed` is false when it was so already: then nothing was written, and nobody is told. */
export interface Changed {
  license: License
  changed: boolean
}

export interface ManageLicensesDeps {
  licenseRecords: LicenseRecordsStore
  keyring: Keyring
  clock: Clock
  webhooks: Pick<Webhooks, 'announce'>
  /** A change that is done, and could not be announced. */
  onError(error: unknown): void
}

/** What is to become of a licence, and what the audit says of it. */
interface Step {
  license: License
  action: LicenseAction
  details: Record<string, unknown>
  /** Between operators: the owner is not told. */
  isInternal?: boolean
}

/**
 * The life of licences, as operators lead it. Each change and its event are one transaction under the lock of the licence; then
 * the owner is told. Every change of a licence that is not there is refused with `unknown_license`.
 */
export function createManageLicenses(deps: ManageLicensesDeps) {
  const change = (id: string, actor: Actor, decide: Decide) => changeLicense(deps, id, actor, decide)
  return {
    create: (terms: NewLicense, actor: Actor): Promise<Created> => createFor(deps, terms, actor),

    /** Other terms, notes, or both. */
    change: (
      id: string,
      { notes, ...terms }: TermChange & { notes?: string | undefined },
      actor: Actor,
    ): Promise<Changed> =>
      change(id, actor, async (license, { licenses }) => {
        const after = withTerms(license, terms)
        const details = difference(license, after)
        if (details) mustNotBeRevoked(license)
        const before = await licenses.notesOf(id)
        const isNoted = notes !== undefined && notes !== before
        if (isNoted) await licenses.setNotes(id, notes)
        if (!details && !isNoted) return undefined
        return {
          license: after,
          action: 'changed',
          details: { ...details, ...(isNoted && { notes }) },
          isInternal: !details,
        }
      }),

    renew: (id: string, renewal: Renewal, actor: Actor): Promise<Changed> =>
      change(id, actor, async (license, _records, now) => {
        mustNotBeRevoked(license)
        const after = withTerms(license, { expiresAt: renewedEnd(license, renewal, now) ?? null })
        const details = difference(license, after)
        return details && { license: after, action: 'renewed', details }
      }),

    suspend: (id: string, reason: string, actor: Actor): Promise<Changed> =>
      change(id, actor, async (license, _records, now) => {
        mustNotBeRevoked(license)
        if (license.suspendedAt !== undefined) return undefined
        return { license: { ...license, suspendedAt: now }, action: 'suspended', details: { reason } }
      }),

    reinstate: (id: string, actor: Actor): Promise<Changed> =>
      change(id, actor, async (license) => {
        mustNotBeRevoked(license)
        const { suspendedAt, ...after } = license
        return suspendedAt === undefined
          ? undefined
          : { license: after, action: 'reinstated', details: { suspended_at: iso(suspendedAt) } }
      }),

    /** For good: nothing brings it back. */
    revoke: (id: string, reason: string, actor: Actor): Promise<Changed> =>
      change(id, actor, async (license, _records, now) =>
        license.revokedAt === undefined
          ? { license: { ...license, revokedAt: now }, action: 'revoked', details: { reason } }
          : undefined,
      ),

    /** A new key. Those there are go on working for the overlap, and at least as short as they would have. */
    async rotate(
      id: string,
      { overlapDays }: { overlapDays: number },
      actor: Actor,
    ): Promise<{ license: License; key: string; previousUntil: number }> {
      let [key, previousUntil] = ['', 0]
      const { license } = await change(id, actor, async (found, { licenses }, now) => {
        mustNotBeRevoked(found)
        previousUntil = now + overlapDays * DAY
        await licenses.endKeys(id, new Date(previousUntil))
        const keys = await licenses.listKeys(id)
        const inUse = keys.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
        if (inUse.length >= MAX_KEYS) throw new Problem('too_many_keys')
        key = await addLicenseKey(licenses, deps.keyring, id, now)
        const details = { key_prefix: keyPrefix(key), previous_until: iso(previousUntil) }
        return { license: found, action: 'key_rotated', details }
      })
      return { license, key, previousUntil }
    },
  }
}
export type ManageLicenses = ReturnType<typeof createManageLicenses>

/** What to do, or undefined: it is so already. */
type Decide = (license: License, records: LicenseRecords, now: number) => Promise<Step | undefined>

async function changeLicense(
  deps: ManageLicensesDeps,
  id: string,
  actor: Actor,
  decide: Decide,
): Promise<Changed> {
  const done = await deps.licenseRecords.alone(id, async (records, license) => {
    if (!license) throw new Problem('unknown_license')
    // After the lock, so that events have the order in which things were done.
    const now = deps.clock.now()
    const step = await decide(license, records, now)
    if (!step) return { license, changed: false }
    const { action, details } = step
    await records.licenses.update(step.license)
    await records.events.insert({ id: newId(), licenseId: id, at: now, action, actor, details })
    const told = step.isInternal ? undefined : { type: `license.${action}`, data: dataOf(step, now) }
    return { license: step.license, changed: true, told }
  })
  const { license, changed, told } = done
  // The change is done: an owner who cannot be told does not undo it.
  if (told) await deps.webhooks.announce(license.tenantId, told).catch(deps.onError)
  return { license, changed }
}

/** What an owner is told. Reasons and notes are between operators. */
const dataOf = ({ license, action, details }: Step, now: number) => ({
  license_id: license.id,
  state: stateOf(license, now),
  ...describeTerms(license),
  ...(action === 'key_rotated' && details),
})

async function createFor(deps: ManageLicensesDeps, wanted: NewLicense, actor: Actor): Promise<Created> {
  const { licenseRecords, keyring, clock } = deps
  return licenseRecords.together(async (records) => {
    const { tenants, pbxKeys } = records
    const isNew = 'tenantName' in wanted
    if (!isNew && !(await tenants.exists(wanted.tenantId)))
      throw new Problem('unknown_tenant', { field: 'tenant_id' })
    const tenantId = isNew ? await addTenant(tenants, wanted.tenantName) : wanted.tenantId
    const made = await createLicense(records, keyring, { ...wanted, tenantId }, { actor, now: clock.now() })
    if (!isNew || !wanted.withPbxKey) return made
    return { ...made, pbxKey: await addPbxKey(pbxKeys, keyring, { id: tenantId, name: wanted.tenantName }) }
  })
}

function mustNotBeRevoked({ revokedAt }: License): void {
  if (revokedAt !== undefined) throw new Problem('license_revoked')
}

/** The terms that differ, before and after; undefined when none do. */
function difference(before: License, after: License) {
  const [from, to] = [Object.entries(describeTerms(before)), describeTerms(after)]
  const changed = from.filter(([name, value]) => String(value) !== String(to[name as keyof typeof to]))
  if (changed.length === 0) return undefined
  const names = changed.map(([name]) => name)
  return {
    from: Object.fromEntries(changed),
    to: Object.fromEntries(Object.entries(to).filter(([name]) => names.includes(name))),
  }
}

const iso = (time: number) => new Date(time).toISOString()
