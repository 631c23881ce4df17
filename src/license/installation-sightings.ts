import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { InstallationStore, Sighting } from './installation-store.ts'
import type { Installations } from './installations.ts'

/** An installation is dead after days: that it was seen in this minute is said once. */
const SAY_EVERY_MS = MINUTE
/** What is seen meanwhile goes with the same statement. */
const GATHER_MS = SECOND
/** Of each map. Beyond it the oldest are forgotten, and said once more too often. */
const MAX_ENTRIES = 10_000

/**
 * Every use of a licence is a sign of life of an installation. Nobody waits for it: it is noted in memory and written within a
 * second, once a minute for each installation.
 */
export function createInstallationSightings(deps: {
  installationStore: Pick<InstallationStore, 'see' | 'deadAmong'>
  installations: Pick<Installations, 'heartbeat'>
  clock: Clock
  onError: (error: unknown) => void
}) {
  const { installationStore, installations, clock, onError } = deps
  /** When it was noted last, on the monotonic clock; in the order of that. */
  const noted = new Map<string, number>()
  const waiting = new Map<string, Sighting>()
  let timer: NodeJS.Timeout | undefined
  let writing = Promise.resolve()

  const write = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const sightings = [...waiting.values()]
    waiting.clear()
    if (sightings.length === 0) return
    await installationStore.see(sightings)
    for (const { licenseId, id } of await installationStore.deadAmong(sightings)) {
      // It is back. Without a free seat it stays dead, and its pushes go on all the same.
      await installations.heartbeat({ id: licenseId }, id).catch((error: unknown) => {
        if (!(error instanceof Problem)) onError(error)
      })
    }
  }
  const startWriting = (): Promise<void> => {
    writing = writing.then(write).catch(onError)
    return writing
  }

  return {
    /** @param instanceId absent: it counts for all that do not say theirs */
    saw(licenseId: string, instanceId: string | undefined): void {
      const name = `${licenseId} ${instanceId ?? ''}`
      const now = clock.monotonic()
      if (now - (noted.get(name) ?? Number.NEGATIVE_INFINITY) < SAY_EVERY_MS) return
      // What does not fit is seen again with its next use.
      if (waiting.size >= MAX_ENTRIES) return
      noted.delete(name)
      noted.set(name, now)
      const [oldest] = noted.keys()
      if (noted.size > MAX_ENTRIES && oldest !== undefined) noted.delete(oldest)
      waiting.set(name, { licenseId, instanceId, at: clock.now() })
      timer ??= setTimeout(() => void startWriting(), GATHER_MS)
    },
    /** Writes what is noted. */
    close: startWriting,
  }
}
export type InstallationSightings = ReturnType<typeof createInstallationSightings>
