import { z } from 'zod'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { LicenseLimit } from '../limits/rate-limits.ts'
import { describeInstallation, InstallationAnswer } from './installation-answer.ts'
import type { Installations } from './installations.ts'
import type { KeyedLicense } from './license.ts'
import { fromStore } from './license-refusal.ts'
import { instanceIdOf } from './license-request.ts'
import { DeactivateRequest, HeartbeatRequest, TransferRequest } from './license-schemas.ts'

export interface InstallationRouteDeps {
  /** Like the auth of pushes, but looking after seats is no sign of life of the machines that have them. */
  seatAuth: AuthScheme<KeyedLicense>
  installations: Installations
  licenseSeats: LicenseLimit
  licenseReads: LicenseLimit
}

const tag = 'Licences'
const refusals = ['license_key_required', 'license_invalid', 'rate_limited', 'store_unavailable'] as const
const problems = [...refusals, 'unknown_installation'] as const

/** How the holder of a licence looks after its seats. */
export const installationRoutes = (deps: InstallationRouteDeps): Route[] => [
  listInstallations(deps),
  beat(deps),
  deactivate(deps),
  transfer(deps),
]

const listInstallations = ({ seatAuth, installations, licenseReads }: InstallationRouteDeps): Route =>
  route({
    method: 'get',
    path: '/v1/license/installations',
    tag,
    summary: 'The machines that hold the seats of a licence',
    auth: seatAuth,
    replies: [
      {
        status: 200,
        description: 'The longest holder first.',
        schema: z.object({
          installations: z.array(InstallationAnswer),
          max_installations: z.int().optional().describe('Absent: any number.'),
        }),
      },
    ],
    problems: refusals,
    async handler({ caller }) {
      const { id, maxInstallations } = caller
      await licenseReads.take(caller)
      const holders = await fromStore(installations.list(id))
      return {
        data: {
          installations: holders.map(describeInstallation),
          ...(maxInstallations !== undefined && { max_installations: maxInstallations }),
        },
      }
    },
  })

const beat = ({ seatAuth, installations, licenseReads }: InstallationRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/license/heartbeat',
    tag,
    summary: 'Say that an installation is still there',
    description:
      'Once a day is enough, and a push does as well. An installation that was taken for dead gets its seat back while there is one.',
    auth: seatAuth,
    body: HeartbeatRequest,
    replies: [{ status: 200, description: 'It keeps its seat.', schema: InstallationAnswer }],
    problems: [...problems, 'installation_deactivated', 'seats_taken'],
    async handler({ body: { instance_id, version }, caller }) {
      await licenseReads.take(caller)
      return {
        data: describeInstallation(
          await fromStore(installations.heartbeat(caller, instance_id, { version })),
        ),
      }
    },
  })

const deactivate = ({ seatAuth, installations, licenseSeats }: InstallationRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/license/deactivate',
    tag,
    summary: 'Give a seat back',
    description:
      'Of the machine that asks, or of another one: `force`, or an `X-Instance-Id` that is not this one, says so in the audit. Repeating it changes nothing. Pushes are not refused by it: it frees the seat for another machine.',
    auth: seatAuth,
    headers: { 'X-Instance-Id': 'The installation that asks.' },
    body: DeactivateRequest,
    replies: [{ status: 200, description: 'The seat is free.', schema: InstallationAnswer }],
    problems,
    async handler({ body: { instance_id, force }, caller, headers }) {
      const isOwn = !force && (instanceIdOf(headers) ?? instance_id) === instance_id
      const why = isOwn ? 'released' : 'forced'
      await licenseSeats.take(caller)
      return {
        data: describeInstallation(
          await fromStore(installations.deactivate(caller, instance_id, why, 'pbx')),
        ),
      }
    },
  })

const transfer = ({ seatAuth, installations, licenseSeats }: InstallationRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/license/transfer',
    tag,
    summary: 'Give the seat of one machine to another',
    description:
      'In one step, also when all seats are taken. A machine that has a seat already keeps it, and the old one is free. Repeating it gives the same answer.',
    auth: seatAuth,
    body: TransferRequest,
    replies: [
      { status: 200, description: 'The installation on the new machine.', schema: InstallationAnswer },
    ],
    problems: [...problems, 'installation_deactivated'],
    async handler({ body: { instance_id, ...machine }, caller }) {
      const { hostname, version, fingerprint } = machine
      const to = { hostname, version, fingerprint }
      await licenseSeats.take(caller)
      return {
        data: describeInstallation(await fromStore(installations.transfer(caller, instance_id, to, 'pbx'))),
      }
    },
  })
