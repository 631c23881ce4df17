import { z } from 'zod'
import { parsePrefer } from '../http/prefer.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import type { PushAllowances } from '../limits/push-allowances.ts'
import type { Events } from '../observability/events.ts'
import { LANE_OF } from '../push/push-kinds.ts'
import type { PushLogStore } from '../push/push-log-store.ts'
import { admitPush, type LicensedSender } from './admit-push.ts'
import type { GatewayPush } from './gateway-push.ts'
import { endAnswer, openAnswer, PushAnswer, recordAnswer } from './push-answer.ts'
import { createPushAuth } from './push-auth.ts'
import { createPushBatch, PushBatchAnswer } from './push-batch.ts'
import { PushBatch, PushRequest } from './push-request.ts'

const IdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'Idempotency-Key must have 1 to 255 visible ASCII characters')

export interface GatewayRouteDeps {
  licenseAuth: AuthScheme<LicensedSender>
  /** Of the apps that there are credentials of. */
  appIds: readonly string[]
  gatewayPush: GatewayPush
  events: Pick<Events, 'backgroundError'>
  pushAllowances: PushAllowances
  pushLogStore: PushLogStore
}

/** What a PBX with a licence key may do. */
export const gatewayRoutes = (deps: GatewayRouteDeps): Route[] => [
  sendPush(deps),
  sendBatch(deps),
  readPush(deps),
]

const sendPush = ({ licenseAuth, appIds, gatewayPush, pushAllowances }: GatewayRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/push',
    tag: 'Gateway',
    summary: 'Wake a phone for a call, or push something else to it',
    description:
      'Calls (`call`, `cancel`) are answered when the provider has answered; with `Prefer: respond-async` at once with 202. All other kinds are answered with 202 when they are stored: they are delivered until they expire. `GET /v1/push/{id}` tells the outcome.',
    auth: createPushAuth({ licenseAuth, appIds }),
    headers: {
      Prefer: '`respond-async`: do not wait for the provider.',
      'X-Instance-Id': 'The installation that pushes: a sign of life of it.',
      'Idempotency-Key': 'The same key and body within 24 h is the same push.',
    },
    body: PushRequest,
    replies: [
      {
        status: 200,
        description: 'The outcome, or `delivered: false` when it is still open after 8 s.',
        schema: PushAnswer,
      },
      {
        status: 202,
        description: 'Accepted, and kept until it is delivered or expires.',
        schema: PushAnswer,
      },
    ],
    problems: [
      'invalid_request',
      'license_key_required',
      'unknown_app',
      'license_invalid',
      'not_entitled',
      'idempotency_conflict',
      ...overLimit,
      'license_store_away',
      'push_failed',
      'push_not_configured',
      'queue_unavailable',
      'store_unavailable',
    ],
    async handler({ body, caller, headers, signal, ...answer }) {
      const { respondAsync } = parsePrefer(headers.prefer)
      const key = idempotencyKey(headers['idempotency-key'])
      await admitPush(pushAllowances, caller, body.kind, answer)
      const { push, result } = await gatewayPush(caller, body, {
        ...(key !== undefined && { idempotencyKey: key }),
        wait: !respondAsync,
        signal,
      })
      if (result) return endAnswer(push, result)
      const isPromised = respondAsync || LANE_OF[push.kind] === 'messages'
      if (!isPromised) return { data: openAnswer(push) }
      return {
        status: 202,
        headers: {
          Location: `/v1/push/${push.id}`,
          ...(respondAsync && { 'Preference-Applied': 'respond-async' }),
        },
        data: openAnswer(push),
      }
    },
  })

const overLimit = ['rate_limited', 'quota_exceeded', 'token_rate_limited'] as const

/** 500 items with 4 kB of payload each. */
const BATCH_BODY_LIMIT = '4mb'

const sendBatch = (deps: GatewayRouteDeps): Route => {
  const pushBatch = createPushBatch(deps)
  return route({
    method: 'post',
    path: '/v1/push/batch',
    tag: 'Gateway',
    summary: 'Push many things at once',
    description:
      'Up to 500 pushes of any kind. Each is judged by itself: what is wrong with one does not refuse the others, and of those beyond a limit the first ones go. Calls are not waited for.',
    auth: deps.licenseAuth,
    headers: { 'Idempotency-Key': 'The same key, `id` and item within 24 h is the same push.' },
    body: PushBatch,
    bodyLimit: BATCH_BODY_LIMIT,
    replies: [{ status: 202, description: 'What became of each item.', schema: PushBatchAnswer }],
    problems: ['invalid_request', 'license_key_required', 'license_invalid', 'store_unavailable'],
    async handler({ body, caller, headers, signal, ...answer }) {
      const key = idempotencyKey(headers['idempotency-key'])
      return { status: 202, data: await pushBatch(caller, body, { key, signal, answer }) }
    },
  })
}

function idempotencyKey(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const key = IdempotencyKey.safeParse(value)
  if (key.success) return key.data
  throw new Problem('invalid_request', {
    sentence: 'Idempotency-Key must have 1 to 255 visible ASCII characters',
    field: 'Idempotency-Key',
  })
}

const readPush = ({ licenseAuth, pushLogStore }: GatewayRouteDeps): Route =>
  route({
    method: 'get',
    path: '/v1/push/{id}',
    tag: 'Gateway',
    summary: 'What became of a push',
    auth: licenseAuth,
    params: z.object({ id: z.uuid('id must be a UUID') }),
    replies: [{ status: 200, description: 'The push as the log knows it.', schema: PushAnswer }],
    problems: ['license_key_required', 'license_invalid', 'unknown_push'],
    async handler({ params, caller }) {
      const record = await pushLogStore.find(caller.tenantId, params.id)
      if (!record) throw new Problem('unknown_push')
      return { data: recordAnswer(record) }
    },
  })
