import type { z } from 'zod'
import { type OperatorCaller, type Role, requireRole } from '../http/operator-roles.ts'
import { type Route, route } from '../http/route.ts'
import { Problem, type ProblemCode } from '../lib/problem.ts'
import { DAY } from '../lib/units.ts'
import type { Actor } from './license.ts'
import { toRenewal } from './license-terms.ts'
import { describeInstallation, describeLicense } from './license-views.ts'
import type { Changed } from './manage-licenses.ts'
import {
  ChangedLicenseAnswer,
  LicenseFileAnswer,
  RotatedKeyAnswer,
  SeatAnswer,
} from './operator-license-answers.ts'
import {
  actorOf,
  LICENSES_PATH,
  LICENSES_TAG,
  type OperatorLicenseRouteDeps,
  REFUSALS,
} from './operator-license-routes.ts'
import {
  ConfirmedRotationBody,
  ConfirmedTransferBody,
  EmptyBody,
  ExportBody,
  LicenseParams,
  ReasonBody,
  RenewalBody,
  RevocationBody,
  SeatParams,
} from './operator-license-schemas.ts'

type Deps = OperatorLicenseRouteDeps

/** What is done to licences. Operators mend and renew what is there; what cannot be undone is for admins. */
export const operatorLicenseActions = (deps: Deps): Route[] => [
  suspendLicense(deps),
  reinstateLicense(deps),
  revokeLicense(deps),
  renewLicense(deps),
  rotateKey(deps),
  transferSeat(deps),
  deactivateSeat(deps),
  exportLicense(deps),
]

const suspendLicense = (deps: Deps): Route =>
  change(deps, {
    name: 'suspend',
    role: 'operator',
    summary: 'Refuse a licence until it is reinstated',
    description: 'Within 5 s no node lets its pushes pass any more.',
    body: ReasonBody,
    work: (id, { reason }, actor) => deps.manageLicenses.suspend(id, reason, actor),
  })

const reinstateLicense = (deps: Deps): Route =>
  change(deps, {
    name: 'reinstate',
    role: 'operator',
    summary: 'End a suspension',
    body: EmptyBody,
    work: (id, _body, actor) => deps.manageLicenses.reinstate(id, actor),
  })

const revokeLicense = (deps: Deps): Route =>
  change(deps, {
    name: 'revoke',
    role: 'admin',
    summary: 'End a licence for good',
    description: 'It cannot be brought back. Within 5 s no node lets its pushes pass any more.',
    body: RevocationBody,
    problems: ['not_confirmed'],
    async work(id, { reason, confirm }, actor) {
      await mustBeConfirmed(deps, id, confirm)
      return deps.manageLicenses.revoke(id, reason, actor)
    },
  })

const renewLicense = (deps: Deps): Route =>
  change(deps, {
    name: 'renew',
    role: 'operator',
    summary: 'Put off the end of a licence',
    description: 'Until a time, by days or months, or for ever. It takes no time away.',
    body: RenewalBody,
    problems: ['license_perpetual'],
    work: (id, body, actor) => deps.manageLicenses.renew(id, toRenewal(body), actor),
  })

interface ChangeSpec<Body extends z.ZodType> {
  name: string
  role: Role
  summary: string
  description?: string
  body: Body
  problems?: readonly ProblemCode[]
  work(id: string, body: z.output<Body>, actor: Actor): Promise<Changed>
}

/** One of the routes that all do one thing to a licence, and can do it twice without harm. */
const change = <Body extends z.ZodType>(
  { operatorAuth, clock }: Deps,
  { name, role, summary, description, body, problems = [], work }: ChangeSpec<Body>,
): Route =>
  route<OperatorCaller, z.ZodType, typeof LicenseParams>({
    method: 'post',
    path: `${LICENSES_PATH}/{id}/${name}`,
    tag: LICENSES_TAG,
    summary,
    description: [role === 'admin' ? 'For admins.' : 'For operators.', description ?? ''].join(' ').trim(),
    auth: requireRole(operatorAuth, role),
    params: LicenseParams,
    body,
    replies: [{ status: 200, description: 'As it is now.', schema: ChangedLicenseAnswer }],
    problems: [...REFUSALS, 'unknown_license', 'license_revoked', ...problems],
    async handler(input) {
      const wanted = input.body as z.output<Body>
      const { license, changed } = await work(input.params.id, wanted, actorOf(input.caller))
      return { data: { license: describeLicense(license, clock.now()), changed } }
    },
  })

/** What cannot be undone is done by nobody who cannot say whose licence it is. */
async function mustBeConfirmed(
  { licenseLookup }: Deps,
  id: string,
  confirm: string | undefined,
): Promise<void> {
  if (confirm !== (await licenseLookup.confirmation(id)))
    throw new Problem('not_confirmed', { field: 'confirm' })
}

const rotateKey = (deps: Deps): Route =>
  route({
    method: 'post',
    path: `${LICENSES_PATH}/{id}/rotate`,
    tag: LICENSES_TAG,
    summary: 'A new key; the ones before go on working for a while',
    description: 'For admins. At most 5 keys of a licence work at the same time.',
    auth: requireRole(deps.operatorAuth, 'admin'),
    params: LicenseParams,
    body: ConfirmedRotationBody,
    replies: [{ status: 200, description: 'The new key.', schema: RotatedKeyAnswer }],
    problems: [...REFUSALS, 'unknown_license', 'license_revoked', 'too_many_keys', 'not_confirmed'],
    async handler({ params, body, caller }) {
      const { manageLicenses, clock } = deps
      if (body.overlap_days === 0) await mustBeConfirmed(deps, params.id, body.confirm)
      const overlap = { overlapDays: body.overlap_days }
      const { license, key, previousUntil } = await manageLicenses.rotate(params.id, overlap, actorOf(caller))
      return {
        data: {
          license: describeLicense(license, clock.now()),
          license_key: key,
          previous_keys_until: new Date(previousUntil).toISOString(),
        },
      }
    },
  })

const transferSeat = (deps: Deps): Route =>
  route({
    method: 'post',
    path: `${LICENSES_PATH}/{id}/transfer`,
    tag: LICENSES_TAG,
    summary: 'Give the seat of one machine to another',
    description:
      'For operators. Works also when all seats are taken. The machine that had the seat has to be activated again.',
    auth: requireRole(deps.operatorAuth, 'operator'),
    params: LicenseParams,
    body: ConfirmedTransferBody,
    replies: [{ status: 200, description: 'The seat of the new machine.', schema: SeatAnswer }],
    problems: [
      ...REFUSALS,
      'unknown_license',
      'unknown_installation',
      'installation_deactivated',
      'not_confirmed',
    ],
    async handler({ params, body, caller }) {
      const { licenseLookup, installations } = deps
      const { hostname, fingerprint } = body
      // Its version is told when the machine activates itself.
      const machine = { hostname, fingerprint, version: '' }
      const id = await licenseLookup.idOf(params.id)
      await mustBeConfirmed(deps, id, body.confirm)
      const moved = await installations.transfer({ id }, body.from, machine, actorOf(caller))
      return { data: { installation: describeInstallation(moved) } }
    },
  })

const deactivateSeat = ({ operatorAuth, licenseLookup, installations }: Deps): Route =>
  route({
    method: 'delete',
    path: `${LICENSES_PATH}/{id}/installations/{instance_id}`,
    tag: LICENSES_TAG,
    summary: 'Free the seat of a machine',
    description: 'For operators. The machine has to be activated again.',
    auth: requireRole(operatorAuth, 'operator'),
    params: SeatParams,
    replies: [{ status: 200, description: 'The seat is free.', schema: SeatAnswer }],
    problems: [...REFUSALS, 'unknown_license', 'unknown_installation'],
    async handler({ params, caller }) {
      const id = await licenseLookup.idOf(params.id)
      const freed = await installations.deactivate({ id }, params.instance_id, 'forced', actorOf(caller))
      return { data: { installation: describeInstallation(freed) } }
    },
  })

const exportLicense = ({ operatorAuth, exportLicense: exportFile }: Deps): Route =>
  route({
    method: 'post',
    path: `${LICENSES_PATH}/{id}/export`,
    tag: LICENSES_TAG,
    summary: 'A signed licence file, for a PBX without a way to us',
    description: 'For operators. Nobody can call a file back: it ends by itself.',
    auth: requireRole(operatorAuth, 'operator'),
    params: LicenseParams,
    body: ExportBody,
    replies: [{ status: 200, description: 'The file and its end.', schema: LicenseFileAnswer }],
    problems: [...REFUSALS, 'unknown_license', 'license_not_in_force'],
    async handler({ params, body, caller }) {
      const life = { fingerprint: body.fingerprint, lifeMs: body.days * DAY }
      const { file, expiresAt } = await exportFile(params.id, life, actorOf(caller))
      return { data: { file, expires_at: new Date(expiresAt).toISOString() } }
    },
  })
