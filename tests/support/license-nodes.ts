import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { newId } from '../../src/lib/ids.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { DAY } from '../../src/lib/units.ts'
import { createAnnounceEndings } from '../../src/license/announce-endings.ts'
import { createLicense, type LicenseTerms } from '../../src/license/create-license.ts'
import { createInstallationSightings } from '../../src/license/installation-sightings.ts'
import { createInstallations } from '../../src/license/installations.ts'
import { createLicenseRecords } from '../../src/license/license-records-store.ts'
import { createEvents } from '../../src/observability/events.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { cloneDatabase } from './databases.ts'

export const INSTALLATION_MS = 30 * DAY

export type LicenseNodes = Awaited<ReturnType<typeof openLicenseNodes>>

/** What two processes of a cluster have of licences, over one database and one clock that the test moves. */
export async function openLicenseNodes() {
  const releaser = createReleaser()
  const database = releaser.add(await cloneDatabase(), (open) => open.drop())
  const keyring = createKeyring(randomBytes(32))
  const metrics = createMetrics()
  const events = createEvents(createLogger('silent'), metrics)
  let time = Date.parse('2026-11-21T12:00:00Z')
  const clock: Clock = { now: () => time, monotonic: () => time }
  const errors: unknown[] = []
  const announced: { tenantId: string; type: string; data: Record<string, unknown> }[] = []
  const fault: { announce?: Error } = {}
  const webhooks = {
    announce: async (tenantId: string, event: { type: string; data: Record<string, unknown> }) => {
      if (fault.announce) throw fault.announce
      announced.push({ tenantId, ...event })
    },
  }

  const openNode = () => {
    const db = releaser.add(openDatabase(database.url), (open: Knex) => open.destroy())
    const licenseRecords = createLicenseRecords(db)
    const installations = createInstallations({
      licenseRecords,
      clock,
      installationMs: INSTALLATION_MS,
      events,
    })
    const sightings = createInstallationSightings({
      installationStore: licenseRecords.installations,
      installations,
      clock,
      onError: (error) => errors.push(error),
    })
    releaser.add(sightings, (open) => open.close())
    const announceEndings = createAnnounceEndings({ licenseRecords, webhooks, clock })
    return { db, licenseRecords, installations, sightings, announceEndings }
  }
  const [first, second] = [openNode(), openNode()]
  return {
    ...first,
    nodes: [first, second] as const,
    ...{ clock, metrics, errors, announced, fault, webhooks },
    /** Lets time pass for all nodes. */
    pass(ms: number): void {
      time += ms
    },
    async givenLicense(terms: Partial<LicenseTerms> = {}) {
      const tenantId = newId()
      await first.db('tenants').insert({ id: tenantId, name: 'test' })
      const by = { actor: 'shell', now: clock.now() } as const
      const { license } = await createLicense(
        first.licenseRecords,
        keyring,
        { tier: 'custom', maxExtensions: 5, maxInstallations: 5, tenantId, ...terms },
        by,
      )
      return license
    },
    /** What stands in the audit besides the making of the licence, oldest first. */
    async audit(licenseId: string) {
      const found = await first.licenseRecords.events.list(licenseId, 1_000)
      return found
        .reverse()
        .filter(({ action }) => action !== 'created')
        .map(({ action, actor, details }) => ({ action, actor, ...details }))
    },
    [Symbol.asyncDispose]: () => releaser.release(),
  }
}
