import type { AuthRequest, AuthScheme } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import type { Events } from '../observability/events.ts'
import type { InstallationSightings } from './installation-sightings.ts'
import type { KeyFacts, KnownLicenses } from './known-licenses.ts'
import type { KeyedLicense } from './license.ts'
import { refusalOf } from './license-checks.ts'
import { fromLicenseStore, refuse } from './license-refusal.ts'
import { instanceIdOf, type KeySource, keyIn, keyInBody } from './license-request.ts'
import { countGrace, tellWarnings, warningsOf } from './license-warnings.ts'

export interface LicenseAuthDeps {
  knownLicenses: Pick<KnownLicenses, 'find' | 'has'>
  /** Where a request counts as a sign of life of the installation that makes it; absent: nowhere. */
  sightings?: Pick<InstallationSightings, 'saw'>
  clock: Clock
  /** How long pushes go on after a licence has ended. */
  graceMs: number
  events: Pick<Events, 'licenseGrace'>
}

/**
 * The licence key of a PBX, from the body or else from `X-License-Key`. Licences never kill calls: one that has just ended, or
 * cannot be looked up, is good for a while, and `X-License-Warning` says so.
 */
export function createLicenseAuth(deps: LicenseAuthDeps): AuthScheme<KeyedLicense> {
  const { knownLicenses, sightings, clock, graceMs, events } = deps
  return {
    name: 'license-key',
    stage: 'after-body',
    knows: (request) => knowsKey(knownLicenses, keyInBody, request),
    require: (request) => void keyInBody(request),
    async verify(request) {
      const instanceId = instanceIdOf(request.headers)
      const facts = await knownLicenses.find(keyInBody(request), request.address)
      const judged = { ...facts, now: clock.now(), graceMs }
      const refusal = refusalOf(judged)
      if (refusal || !facts.license) throw refuse('license_invalid', refusal)
      const warnings = warningsOf(judged)
      tellWarnings(request, warnings)
      countGrace(events, warnings)
      sightings?.saw(facts.license.id, instanceId)
      return facts.license
    },
  }
}

function knowsKey(
  knownLicenses: Pick<KnownLicenses, 'has'>,
  keyOf: KeySource,
  request: AuthRequest,
): boolean {
  const key = keyIn(keyOf, request)
  return key !== undefined && knownLicenses.has(key)
}

/** A caller whose key was looked up and not judged. */
export interface KeyHolder extends KeyFacts {
  key: string
}

/** For the routes of the wire contract, which say what is wrong with a key. */
export const createKeyAuth = (
  { knownLicenses }: Pick<LicenseAuthDeps, 'knownLicenses'>,
  keyOf: KeySource,
): AuthScheme<KeyHolder> => ({
  name: 'license-key',
  stage: 'after-body',
  knows: (request) => knowsKey(knownLicenses, keyOf, request),
  require: (request) => void keyOf(request),
  async verify(request) {
    const key = keyOf(request)
    return { key, ...(await fromLicenseStore(knownLicenses.find(key, request.address))) }
  },
})
