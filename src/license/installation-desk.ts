import { randomUUID } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { createTurns } from '../lib/turns.ts'
import { identityOf, type Machine } from './installation-store.ts'
import type { Actor, DeactivationReason, Installation, License, LicenseAction } from './license.ts'
import type { LicenseRecords, LicenseRecordsStore } from './license-records-store.ts'
import { refuseInstallation, refuseSeat, refuseUnknown } from './license-refusal.ts'

/** One licence, locked, and what may be done to its seats: nobody else takes or frees one meanwhile. */
export interface Desk {
  license: License
  records: LicenseRecords
  now: number
  /** An installation not seen for so long is dead. */
  installationMs: number
  note(action: LicenseAction, actor: Actor, details: Record<string, unknown>): Promise<void>
}

export function createDesks(deps: {
  licenseRecords: LicenseRecordsStore
  clock: Clock
  installationMs: number
}) {
  const { licenseRecords, clock, installationMs } = deps
  const inTurn = createTurns()
  return <T>(licenseId: string, work: (desk: Desk) => Promise<T>): Promise<T> =>
    inTurn(licenseId, () =>
      licenseRecords.alone(licenseId, async (records, license) => {
        if (!license) throw refuseUnknown()
        const now = clock.now()
        const note: Desk['note'] = (action, actor, details) =>
          records.events.insert({ id: newId(), licenseId, at: now, action, actor, details })
        return work({ license, records, now, installationMs, note })
      }),
    )
}

export const nameOf = ({ id, hostname }: Installation) => ({ instance_id: id, hostname })

export async function mustFind({ records, license, now }: Desk, instanceId: string): Promise<Installation> {
  const found = await records.installations.find(license.id, instanceId)
  if (!found) throw refuseInstallation(license, null, now)
  return found
}

/** The seat that the machine has. One that was known by its host name only is its own, too, once it tells its fingerprint. */
export async function ownSeat(
  { records, license }: Desk,
  machine: Machine,
): Promise<Installation | undefined> {
  const { installations } = records
  const own = await installations.findActive(license.id, identityOf(machine))
  if (own || machine.fingerprint === undefined) return own
  return installations.findActive(license.id, identityOf({ hostname: machine.hostname }))
}

/** Throws when there is no free seat; machines that are gone do not keep theirs. */
export async function mustHaveSeat(desk: Desk): Promise<void> {
  const { license, records, now } = desk
  const { maxInstallations = Number.POSITIVE_INFINITY } = license
  const holders = () => records.installations.listActive(license.id)
  if (maxInstallations === Number.POSITIVE_INFINITY || (await holders()).length < maxInstallations) return
  await freeDead(desk)
  const left = await holders()
  if (left.length >= maxInstallations) throw refuseSeat(license, left, now)
}

/** A seat for a machine that has none. */
export async function takeSeat({ records, license, now }: Desk, machine: Machine): Promise<Installation> {
  const installation: Installation = {
    id: randomUUID(),
    licenseId: license.id,
    ...machineOf(machine),
    activatedAt: now,
    lastSeenAt: now,
  }
  await records.installations.insert(installation)
  return installation
}

/** The machine that has the seat is as it says now. */
export async function refreshSeat(desk: Desk, own: Installation, machine: Machine, actor: Actor) {
  const { records, license, now, note } = desk
  await records.installations.refresh(license.id, own.id, machine, now)
  const { fingerprint, ...known } = own
  const fresh: Installation = { ...known, ...machineOf(machine), lastSeenAt: now }
  if (fingerprint !== fresh.fingerprint)
    await note('activated', actor, { ...nameOf(fresh), identified: true })
  return fresh
}

const machineOf = ({ hostname, fingerprint, version }: Machine) => ({
  hostname,
  version,
  ...(fingerprint !== undefined && { fingerprint }),
})

export async function freeSeat(desk: Desk, found: Installation, why: DeactivationReason, actor: Actor) {
  const { records, license, now, note } = desk
  await records.installations.deactivate(license.id, found.id, why, new Date(now))
  await note('deactivated', actor, { ...nameOf(found), why })
  return { ...found, deactivatedAt: now, deactivatedWhy: why }
}

/** Frees the seats of machines that were not seen for long; says how many those are. */
export async function freeDead({ records, license, now, installationMs, note }: Desk): Promise<number> {
  const before = new Date(now - installationMs)
  const dead = await records.installations.deactivateDead(license.id, before, new Date(now))
  for (const each of dead) await note('deactivated', 'system', { ...nameOf(each), why: 'dead' })
  return dead.length
}

/** Only what was thought to be dead comes back, and not when the machine has taken another seat meanwhile. */
export async function reviveSeat(desk: Desk, found: Installation): Promise<void> {
  const { records, license, now, note } = desk
  if (found.deactivatedWhy !== 'dead') return
  if (await records.installations.findActive(license.id, identityOf(found))) return
  await mustHaveSeat(desk)
  await records.installations.revive(license.id, found.id, now)
  await note('activated', 'pbx', { ...nameOf(found), revived: true })
}
