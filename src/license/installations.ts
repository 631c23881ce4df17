import type { Clock } from '../lib/clock.ts'
import type { Events } from '../observability/events.ts'
import {
  createDesks,
  freeDead,
  freeSeat,
  mustFind,
  mustHaveSeat,
  nameOf,
  ownSeat,
  refreshSeat,
  reviveSeat,
  takeSeat,
} from './installation-desk.ts'
import type { Machine } from './installation-store.ts'
import type { Actor, DeactivationReason, Installation } from './license.ts'
import type { LicenseRecordsStore } from './license-records-store.ts'
import { refuseInstallation } from './license-refusal.ts'

export interface InstallationsDeps {
  licenseRecords: LicenseRecordsStore
  clock: Clock
  /** An installation not seen for so long is dead. */
  installationMs: number
  events: Pick<Events, 'installationsFreed'>
}

/** Licences with dead installations that one look finds. */
const CULL_BATCH = 500

/**
 * Which machines use a licence. Whether the licence itself is good is judged elsewhere; here it is about its seats, and every
 * change of them stands in the audit. What is refused is a Problem.
 */
export function createInstallations(deps: InstallationsDeps) {
  const { licenseRecords, clock } = deps
  const atDesk = createDesks(deps)
  return {
    /** Takes a seat for the machine, or finds the one that it has. */
    activate: ({ license, actor, ...machine }: Machine & { license: { id: string }; actor: Actor }) =>
      atDesk(license.id, async (desk): Promise<Installation> => {
        const own = await ownSeat(desk, machine)
        if (own) return refreshSeat(desk, own, machine, actor)
        await mustHaveSeat(desk)
        const installation = await takeSeat(desk, machine)
        await desk.note('activated', actor, { ...nameOf(installation), version: machine.version })
        return installation
      }),

    /** Keeps the seat, and gives a dead machine that is back its own again while there is one free. */
    async heartbeat(
      license: { id: string },
      instanceId: string,
      { version }: { version?: string | undefined } = {},
    ): Promise<Installation> {
      const { installations } = licenseRecords
      const active = await installations.beat(license.id, instanceId, version, clock.now())
      if (active) return active
      return atDesk(license.id, async (desk) => {
        await reviveSeat(desk, await mustFind(desk, instanceId))
        const alive = await desk.records.installations.beat(license.id, instanceId, version, desk.now)
        if (!alive) throw refuseInstallation(desk.license, await mustFind(desk, instanceId), desk.now)
        return alive
      })
    },

    /** Frees the seat. One that is free already stays as it is. */
    deactivate: (license: { id: string }, instanceId: string, why: DeactivationReason, actor: Actor) =>
      atDesk(license.id, async (desk): Promise<Installation> => {
        const found = await mustFind(desk, instanceId)
        return found.deactivatedAt === undefined ? freeSeat(desk, found, why, actor) : found
      }),

    /** Frees the seat of one machine and gives it to another in one step, also when all are taken. */
    transfer: (license: { id: string }, fromInstanceId: string, to: Machine, actor: Actor) =>
      atDesk(license.id, async (desk): Promise<Installation> => {
        const from = await mustFind(desk, fromInstanceId)
        const own = await ownSeat(desk, to)
        // Asked again, because the answer was lost.
        if (from.deactivatedWhy === 'transferred' && own) return refreshSeat(desk, own, to, actor)
        if (from.deactivatedAt !== undefined) throw refuseInstallation(desk.license, from, desk.now)
        if (own?.id === from.id) return refreshSeat(desk, own, to, actor)
        await desk.records.installations.deactivate(license.id, from.id, 'transferred', new Date(desk.now))
        const target = own ? await refreshSeat(desk, own, to, actor) : await takeSeat(desk, to)
        const was = { from_instance_id: from.id, from_hostname: from.hostname }
        await desk.note('transferred', actor, { ...nameOf(target), ...was })
        return target
      }),

    /** Who holds the seats, the longest one first. */
    list: (licenseId: string): Promise<Installation[]> => licenseRecords.installations.listActive(licenseId),

    /** Frees the seats of all machines that were not seen for long; says how many those were. */
    async cullDead(): Promise<number> {
      let freed = 0
      for (;;) {
        const before = new Date(clock.now() - deps.installationMs)
        const licenseIds = await licenseRecords.installations.licensesWithDead(before, CULL_BATCH)
        let inBatch = 0
        for (const licenseId of licenseIds) inBatch += await atDesk(licenseId, freeDead)
        freed += inBatch
        // Those that came back meanwhile must not keep us here.
        if (licenseIds.length < CULL_BATCH || inBatch === 0) break
      }
      if (freed > 0) deps.events.installationsFreed(freed)
      return freed
    },
  }
}
export type Installations = ReturnType<typeof createInstallations>
