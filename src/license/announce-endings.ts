import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { DAY } from '../lib/units.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { License } from './license.ts'
import type { LicenseRecords, LicenseRecordsStore } from './license-records-store.ts'

/** How long before the end the owner is told, each once. */
export const TELL_DAYS = [14, 3, 1] as const
const BATCH = 500

/**
 * Tells the owners of licences that will end. The event of the audit says who was told; it is kept only when the webhooks have
 * taken the news, so that a failure leads to a second try and not to silence.
 */
export function createAnnounceEndings({
  licenseRecords,
  webhooks,
  clock,
}: {
  licenseRecords: LicenseRecordsStore
  webhooks: Pick<Webhooks, 'announce'>
  clock: Clock
}) {
  const tell = ({ events, endings }: LicenseRecords, license: License | undefined) =>
    tellEnding({ events, endings, announce: webhooks.announce }, license, clock.now())

  /** How many owners were told. */
  return async function announceEndings(): Promise<number> {
    const [from, to] = [new Date(clock.now()), new Date(clock.now() + TELL_DAYS[0] * DAY)]
    let told = 0
    let after: string | undefined
    for (;;) {
      const ids = await licenseRecords.endings.ending(from, to, BATCH, after)
      for (const id of ids) told += (await licenseRecords.alone(id, tell)) ? 1 : 0
      after = ids.at(-1)
      if (ids.length < BATCH) return told
    }
  }
}
export type AnnounceEndings = ReturnType<typeof createAnnounceEndings>

async function tellEnding(
  { events, endings, announce }: Pick<LicenseRecords, 'events' | 'endings'> & Pick<Webhooks, 'announce'>,
  license: License | undefined,
  now: number,
): Promise<boolean> {
  if (license?.expiresAt === undefined) return false
  const days = dueDays(license.expiresAt - now)
  if (days === undefined) return false
  const details = { days, expires_at: new Date(license.expiresAt).toISOString() }
  if (await endings.wasTold(license.id, details)) return false
  await events.insert({
    id: newId(),
    licenseId: license.id,
    at: now,
    action: 'expiring',
    actor: 'system',
    details,
  })
  const { id: license_id, tier } = license
  await announce(license.tenantId, { type: 'license.expiring', data: { license_id, tier, ...details } })
  return true
}

/** The last of the days that have come. Undefined: none yet, or it has ended. */
const dueDays = (leftMs: number): number | undefined =>
  leftMs > 0 ? TELL_DAYS.findLast((days) => leftMs <= days * DAY) : undefined
