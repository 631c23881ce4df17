import { Problem, type ProblemCode } from '../lib/problem.ts'
import { describeHolders } from './installation-answer.ts'
import type { Installation, KeyedLicense, License } from './license.ts'
import { type LicenseFacts, type LicenseRefusal, refusalOf } from './license-checks.ts'

/** The Problem of a route, with the exact code and the hint of the check that failed. */
export const refuse = (
  code: ProblemCode,
  refusal: LicenseRefusal | undefined,
  extra: Record<string, unknown> = {},
): Problem =>
  new Problem(code, {
    ...(refusal && { code: refusal.code }),
    // Whose key or licence is no good gets the sentence of the contract; whose wish it is, the one that says what to do.
    ...(refusal?.about === 'use' && { sentence: refusal.hint }),
    extra: { ...(refusal && { hint: refusal.hint }), ...extra },
  })

/** The licence went away after its key was looked up. */
export const refuseUnknown = (): Problem => judged('license_invalid', { now: 0 })

/** @param installation null: the licence has none of that id */
export const refuseInstallation = (license: License, installation: Installation | null, now: number) =>
  judged(installation === null ? 'unknown_installation' : 'installation_deactivated', {
    license: inForce(license),
    installation,
    now,
  })

/** Another one has no place beside these. */
export const refuseSeat = (license: License, holders: readonly Installation[], now: number) =>
  judged(
    'seats_taken',
    { license: inForce(license), seats: { active: holders.length, wanted: 1 }, now },
    { max_installations: license.maxInstallations, ...describeHolders(holders) },
  )

/** Here it is about seats; whether the licence is good has been judged, with its grace. */
const inForce = ({ revokedAt, suspendedAt, expiresAt, ...license }: License): KeyedLicense => ({
  ...license,
  key: { prefix: '' },
})

const judged = (
  code: ProblemCode,
  facts: Omit<LicenseFacts, 'graceMs'>,
  extra?: Record<string, unknown>,
): Problem => refuse(code, refusalOf({ ...facts, graceMs: 0 }), extra)

/** A store that fails is no verdict. What a service refuses by itself stays as it is. */
export const fromStore = <T>(work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    if (cause instanceof Problem) throw cause
    // The sentence of the contract for whatever goes wrong here.
    throw new Problem('store_unavailable', { sentence: 'internal error', retryAfter: 1, cause })
  })

/** The same for the three routes of the wire contract, where a 503 would say that there is no licence server at all. */
export const fromLicenseStore = <T>(work: Promise<T>): Promise<T> =>
  fromStore(work).catch((cause: unknown) => {
    if (cause instanceof Problem && cause.code !== 'store_unavailable') throw cause
    throw new Problem('license_store_away', { code: 'store_unavailable', retryAfter: 1, cause })
  })
