import type { z } from 'zod'
import { type AnswerSigner, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import type { ProblemCode } from '../lib/problem.ts'
import type { LicenseLimit } from '../limits/rate-limits.ts'
import type { SignAnswer } from './answer-signature.ts'
import { describeHolders } from './installation-answer.ts'
import type { InstallationStore } from './installation-store.ts'
import type { Installations } from './installations.ts'
import type { KeyFacts, KnownLicenses } from './known-licenses.ts'
import type { Installation, KeyedLicense, License } from './license.ts'
import { createKeyAuth } from './license-auth.ts'
import { graceOf, type LicenseFacts, refusalOf } from './license-checks.ts'
import { fromLicenseStore, refuse } from './license-refusal.ts'
import { type KeySource, keyIn, keyInBody, keyInQuery } from './license-request.ts'
import {
  ActivatedAnswer,
  ActivateRequest,
  StatusAnswer,
  StatusQuery,
  ValidAnswer,
  ValidateRequest,
} from './license-schemas.ts'
import { tellWarnings, warningsOf } from './license-warnings.ts'

export interface LicenseRouteDeps {
  knownLicenses: KnownLicenses
  installations: Installations
  installationStore: Pick<InstallationStore, 'find' | 'findMachine'>
  /** How long pushes go on after a licence has ended; here it is only told. */
  licenseGraceMs: number
  clock: Clock
  signAnswer: SignAnswer
  licenseSeats: LicenseLimit
  licenseReads: LicenseLimit
}

const tag = 'Licences'
/** Of the contract. */
const BODY_LIMIT = '1mb'
const problems = ['license_key_required', 'rate_limited', 'license_store_away'] as const

/** What a PBX asks about its licence. Paths, statuses and sentences are those of FlowPBX; keys beyond it are ours. */
export const licenseRoutes = (deps: LicenseRouteDeps): Route[] => [
  validateLicense(deps),
  activateLicense(deps),
  readStatus(deps),
]

const validateLicense = (deps: LicenseRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/license/validate',
    tag,
    summary: 'Whether a licence is good, and for what',
    description:
      'The checks are made in a fixed order, and `code` names the first that fails; `hint` says what to do. A licence that has just ended is refused here while pushes go on until `grace_until`.',
    auth: createKeyAuth(deps, keyInBody),
    signer: signedFor(deps, keyInBody),
    body: ValidateRequest,
    bodyLimit: BODY_LIMIT,
    replies: [{ status: 200, description: 'It is good.', schema: ValidAnswer }],
    problems: [...problems, 'license_not_found', 'license_refused'],
    async handler({ body, caller, setHeader }) {
      const named = caller.license && (await findNamed(deps, caller.license, body))
      const license = mustBeGood(deps, caller, {
        code: 'license_not_found',
        wishes: {
          ...(named !== undefined && { installation: named }),
          ...(body.extensions !== undefined && { extensions: body.extensions }),
          ...(body.entitlements && { needs: body.entitlements }),
        },
        setHeader,
      })
      return { data: { valid: true, ...describeTerms(license), ...(named && { instance_id: named.id }) } }
    },
  })

const activateLicense = (deps: LicenseRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/license/activate',
    tag,
    summary: 'Take a seat of a licence for this machine',
    description:
      'A machine is known by its `fingerprint`, or else by its `hostname`: it gets the same `instance_id` each time, and takes one seat. When all are taken, those of machines that were not seen for long are freed; if there are none, `installations` says who holds the seats.',
    auth: createKeyAuth(deps, keyInBody),
    signer: signedFor(deps, keyInBody),
    body: ActivateRequest,
    bodyLimit: BODY_LIMIT,
    replies: [{ status: 200, description: 'The machine has a seat.', schema: ActivatedAnswer }],
    problems: [...problems, 'activation_refused', 'seats_taken'],
    async handler({ body, caller, setHeader }) {
      const license = mustBeGood(deps, caller, { code: 'activation_refused', setHeader })
      const { hostname, version, fingerprint } = body
      const machine = { hostname, version, fingerprint }
      await deps.licenseSeats.take(license)
      const taken = await fromLicenseStore(deps.installations.activate({ license, actor: 'pbx', ...machine }))
      const activated_at = new Date(taken.activatedAt).toISOString()
      return { data: { instance_id: taken.id, activated_at, ...describeTerms(license) } }
    },
  })

const readStatus = (deps: LicenseRouteDeps): Route =>
  route({
    method: 'get',
    path: '/v1/license/status',
    tag,
    summary: 'A licence and who uses it, also when it has ended',
    auth: createKeyAuth(deps, keyInQuery),
    signer: signedFor(deps, keyInQuery),
    query: StatusQuery,
    replies: [{ status: 200, description: 'The licence.', schema: StatusAnswer }],
    problems: [...problems, 'license_unknown'],
    async handler({ caller, setHeader }) {
      const facts = { ...caller, now: deps.clock.now(), graceMs: 0 }
      const refusal = refusalOf(facts)
      if (!caller.license || refusal?.about === 'key') throw refuse('license_unknown', refusal)
      tellWarnings({ setHeader }, warningsOf(facts))
      await deps.licenseReads.take(caller.license)
      const holders = await fromLicenseStore(deps.installations.list(caller.license.id))
      const data: z.input<typeof StatusAnswer> = {
        key: caller.key,
        ...describeTerms(caller.license),
        active: refusal === undefined,
        ...(refusal && { code: refusal.code, hint: refusal.hint }),
        ...graceIn(deps, facts),
        ...describeHolders(holders),
      }
      return { data }
    },
  })

/** Answers that say which key they are about: the one that the route goes by. */
const signedFor =
  (deps: LicenseRouteDeps, keyOf: KeySource): AnswerSigner =>
  (request, answer) =>
    // A request without a key is refused for that, and the refusal is signed, too.
    deps.signAnswer({ ...request, key: keyIn(keyOf, request) ?? '' }, answer)

/** The licence of a key, or the Problem of the first check that fails. */
function mustBeGood(
  deps: LicenseRouteDeps,
  caller: KeyFacts,
  how: {
    /** When key or licence are no good. */
    code: ProblemCode
    wishes?: Pick<LicenseFacts, 'installation' | 'extensions' | 'needs'>
    setHeader(name: string, value: string): void
  },
): KeyedLicense {
  const facts = { ...caller, ...how.wishes, now: deps.clock.now(), graceMs: 0 }
  const refusal = refusalOf(facts)
  if (refusal?.about === 'use') throw refuse('license_refused', refusal)
  if (refusal || !caller.license) throw refuse(how.code, refusal, graceIn(deps, facts))
  tellWarnings(how, warningsOf(facts))
  return caller.license
}

const graceIn = ({ licenseGraceMs }: LicenseRouteDeps, facts: LicenseFacts) => {
  const until = graceOf({ ...facts, graceMs: licenseGraceMs })
  return until === undefined ? {} : { grace_until: new Date(until).toISOString() }
}

/** Undefined: no installation was named. null: it was, and there is none. */
async function findNamed(
  { installationStore, licenseReads }: LicenseRouteDeps,
  license: License,
  { instance_id, fingerprint, hostname }: ValidateRequest,
): Promise<Installation | null | undefined> {
  if (instance_id === undefined && fingerprint === undefined && hostname === undefined) return undefined
  await licenseReads.take(license)
  const { id } = license
  if (instance_id !== undefined)
    return (await fromLicenseStore(installationStore.find(id, instance_id))) ?? null
  return (await fromLicenseStore(installationStore.findMachine(id, { fingerprint, hostname }))) ?? null
}

const describeTerms = (license: License) => ({
  tier: license.tier,
  max_extensions: license.maxExtensions,
  ...(license.expiresAt !== undefined && { expires_at: new Date(license.expiresAt).toISOString() }),
  ...(license.maxInstallations !== undefined && { max_installations: license.maxInstallations }),
  entitlements: [...license.entitlements],
})
