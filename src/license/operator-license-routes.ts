import { type OperatorCaller, requireRole } from '../http/operator-roles.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import type { ExportLicense } from './export-license.ts'
import type { Installations } from './installations.ts'
import type { Actor } from './license.ts'
import type { LicenseLookup } from './license-lookup.ts'
import { toChange, toFilter, toNewLicense } from './license-terms.ts'
import { describeLicense } from './license-views.ts'
import type { ManageLicenses } from './manage-licenses.ts'
import {
  ChangedLicenseAnswer,
  CreatedLicenseAnswer,
  EventListAnswer,
  LicenseAnswer,
  LicenseListAnswer,
} from './operator-license-answers.ts'
import {
  EventQuery,
  LicenseChangeBody,
  LicenseParams,
  LicenseQuery,
  NewLicenseBody,
} from './operator-license-schemas.ts'

export interface OperatorLicenseRouteDeps {
  operatorAuth: AuthScheme<OperatorCaller>
  licenseLookup: LicenseLookup
  manageLicenses: ManageLicenses
  exportLicense: ExportLicense
  installations: Installations
  clock: Clock
}

export const LICENSES_PATH = '/api/v1/operator/licenses'
export const LICENSES_TAG = 'Licences'
export const REFUSALS = ['unauthorized', 'forbidden', 'store_unavailable'] as const

/** As the audit has it. */
export const actorOf = (caller: OperatorCaller): Actor => `operator:${caller.name}`

/** Reading is for every operator; making, changing and ending licences is for admins. */
export const operatorLicenseRoutes = (deps: OperatorLicenseRouteDeps): Route[] => [
  listLicenses(deps),
  createLicense(deps),
  readLicense(deps),
  changeLicense(deps),
  listEvents(deps),
]

const listLicenses = ({ operatorAuth, licenseLookup }: OperatorLicenseRouteDeps): Route =>
  route({
    method: 'get',
    path: LICENSES_PATH,
    tag: LICENSES_TAG,
    summary: 'List licences',
    description: 'Newest first, over all tenants. All filters that are given must hold.',
    auth: operatorAuth,
    query: LicenseQuery,
    replies: [{ status: 200, description: 'A page of licences.', schema: LicenseListAnswer }],
    problems: ['unauthorized', 'store_unavailable'],
    async handler({ query }) {
      const page = { limit: query.limit, after: query.cursor }
      const { licenses, next } = await licenseLookup.search(toFilter(query), page)
      return { data: { licenses, ...(next !== undefined && { next_cursor: next }) } }
    },
  })

const createLicense = ({ operatorAuth, manageLicenses, clock }: OperatorLicenseRouteDeps): Route =>
  route({
    method: 'post',
    path: LICENSES_PATH,
    tag: LICENSES_TAG,
    summary: 'Make a licence, for a tenant there is or a new one',
    description:
      'For admins. What is not given is as the tier has it; a licence that differs from its tier is `custom`.',
    auth: requireRole(operatorAuth, 'admin'),
    body: NewLicenseBody,
    replies: [{ status: 201, description: 'The licence and its key.', schema: CreatedLicenseAnswer }],
    problems: [...REFUSALS, 'unknown_tenant'],
    async handler({ body, caller }) {
      const { license, key, pbxKey } = await manageLicenses.create(toNewLicense(body), actorOf(caller))
      return {
        status: 201,
        data: {
          license: describeLicense(license, clock.now()),
          license_key: key,
          ...(pbxKey !== undefined && { pbx_key: pbxKey }),
        },
      }
    },
  })

const readLicense = ({ operatorAuth, licenseLookup }: OperatorLicenseRouteDeps): Route =>
  route({
    method: 'get',
    path: `${LICENSES_PATH}/{id}`,
    tag: LICENSES_TAG,
    summary: 'A licence with its keys, seats, usage and audit',
    auth: operatorAuth,
    params: LicenseParams,
    replies: [{ status: 200, description: 'No key, and no hash of one.', schema: LicenseAnswer }],
    problems: ['unauthorized', 'store_unavailable', 'unknown_license'],
    async handler({ params }) {
      return { data: await licenseLookup.details(params.id) }
    },
  })

const changeLicense = ({ operatorAuth, manageLicenses, clock }: OperatorLicenseRouteDeps): Route =>
  route({
    method: 'patch',
    path: `${LICENSES_PATH}/{id}`,
    tag: LICENSES_TAG,
    summary: 'Change what a licence allows, its end or its notes',
    description: 'For admins. What is not given stays. Of a revoked licence only the notes can be changed.',
    auth: requireRole(operatorAuth, 'admin'),
    params: LicenseParams,
    body: LicenseChangeBody,
    replies: [{ status: 200, description: 'As it is now.', schema: ChangedLicenseAnswer }],
    problems: [...REFUSALS, 'unknown_license', 'license_revoked'],
    async handler({ params, body, caller }) {
      const { license, changed } = await manageLicenses.change(params.id, toChange(body), actorOf(caller))
      return { data: { license: describeLicense(license, clock.now()), changed } }
    },
  })

const listEvents = ({ operatorAuth, licenseLookup }: OperatorLicenseRouteDeps): Route =>
  route({
    method: 'get',
    path: `${LICENSES_PATH}/{id}/events`,
    tag: LICENSES_TAG,
    summary: 'What was done to a licence, and by whom',
    auth: operatorAuth,
    params: LicenseParams,
    query: EventQuery,
    replies: [{ status: 200, description: 'Newest first.', schema: EventListAnswer }],
    problems: ['unauthorized', 'store_unavailable', 'unknown_license'],
    async handler({ params, query }) {
      const page = { limit: query.limit, before: query.cursor }
      const { events, next } = await licenseLookup.history(params.id, page)
      return { data: { events, ...(next !== undefined && { next_cursor: next }) } }
    },
  })
