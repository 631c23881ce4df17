import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import { findLicenseId } from './find-license.ts'
import type { LicenseEvent } from './license.ts'
import type { LicenseFilter, LicenseListStore } from './license-list-store.ts'
import type { LicenseRecordsStore } from './license-records-store.ts'
import { describeEvent, describeInstallation, describeKey, describeListed } from './license-views.ts'

/** Events that are shown with a licence. */
const SHOWN_EVENTS = 50

export interface LicenseLookupDeps {
  licenseRecords: LicenseRecordsStore
  licenseList: LicenseListStore
  keyring: Keyring
  clock: Clock
}

/** What operators ask about licences. Whatever is asked of one that is not there is refused with `unknown_license`. */
export function createLicenseLookup({ licenseRecords, licenseList, keyring, clock }: LicenseLookupDeps) {
  const { licenses, installations, events } = licenseRecords
  return {
    /** @param text an id, a whole key or its prefix */
    idOf: (text: string): Promise<string> => findLicenseId({ licenses, keyring }, text),

    async search(filter: LicenseFilter, page: { limit: number; after?: string | undefined }) {
      const now = clock.now()
      const { licenses: found, next } = await licenseList.search(filter, { ...page, now })
      return { licenses: found.map((listed) => describeListed(listed, now)), next }
    },

    /** All there is to know of one, but no key and no hash of one. */
    async details(id: string) {
      const now = clock.now()
      const listed = await licenseList.find(id)
      if (!listed) throw new Problem('unknown_license')
      const [keys, seats, usage, history] = await Promise.all([
        licenses.listKeys(id),
        installations.listActive(id),
        licenseList.usageOn(id, new Date(now)),
        events.list(id, SHOWN_EVENTS),
      ])
      return {
        license: describeListed(listed, now),
        keys: keys.map((key) => describeKey(key, now)),
        installations: seats.map(describeInstallation),
        usage_today: usage,
        events: history.map(describeEvent),
      }
    },

    /** What shows that somebody means this licence and no other: the first letters of its newest key. */
    async confirmation(id: string): Promise<string> {
      if (!(await licenses.find(id))) throw new Problem('unknown_license')
      const [newest] = await licenses.listKeys(id)
      return newest?.prefix ?? id
    },

    /** Newest first. @param page `before` is the id of the last event of the page before */
    async history(id: string, { limit, before }: { limit: number; before?: string | undefined }) {
      if (!(await licenses.find(id))) throw new Problem('unknown_license')
      const found: LicenseEvent[] = await events.list(id, limit + 1, before)
      const page = found.slice(0, limit)
      return { events: page.map(describeEvent), next: found.length > limit ? page.at(-1)?.id : undefined }
    },
  }
}
export type LicenseLookup = ReturnType<typeof createLicenseLookup>
