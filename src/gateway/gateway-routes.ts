import { z } from 'zod'
import { parsePrefer } from '../http/prefer.ts'
import { type AuthScheme, type Reply, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import type { PushLogStore, PushRecord } from '../push/push-log-store.ts'
import type { PushResult } from '../push/push-result.ts'
import type { GatewayPush } from './gateway-push.ts'
import { PushAnswer, PushRequest } from './push-request.ts'

const IdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'Idempotency-Key must have 1 to 255 visible ASCII characters')

export interface GatewayRouteDeps {
  licenseAuth: AuthScheme<{ id: string; tenantId: string }>
  gatewayPush: GatewayPush
  pushLogStore: PushLogStore
}

/** What a PBX with a licence key may do. */
export const gatewayRoutes = (deps: GatewayRouteDeps): Route[] => [sendPush(deps), readPush(deps)]

const sendPush = ({ licenseAuth, gatewayPush }: GatewayRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/push',
    tag: 'Gateway',
    summary: 'Wake a phone for a call',
    description:
      'Answers when the provider has answered. With `Prefer: respond-async` it answers 202 at once, and `GET /v1/push/{id}` tells the outcome.',
    auth: licenseAuth,
    headers: {
      Prefer: '`respond-async`: do not wait for the provider.',
      'Idempotency-Key': 'The same key and body within 24 h is the same push.',
    },
    body: PushRequest,
    replies: [
      {
        status: 200,
        description: 'The outcome, or `delivered: false` when it is still open after 8 s.',
        schema: PushAnswer,
      },
      { status: 202, description: 'Accepted; only with `Prefer: respond-async`.', schema: PushAnswer },
    ],
    problems: [
      'invalid_request',
      'license_key_required',
      'unknown_app',
      'license_invalid',
      'idempotency_conflict',
      'push_failed',
      'queue_unavailable',
    ],
    async handler({ body, caller, headers, signal }) {
      const { respondAsync } = parsePrefer(headers.prefer)
      const key = headers['idempotency-key']
      if (key !== undefined && !IdempotencyKey.safeParse(key).success) {
        throw new Problem('invalid_request', {
          sentence: 'Idempotency-Key must have 1 to 255 visible ASCII characters',
          field: 'Idempotency-Key',
        })
      }
      const { pushId, result } = await gatewayPush(caller, body, {
        ...(typeof key === 'string' && { idempotencyKey: key }),
        wait: !respondAsync,
        signal,
      })
      if (respondAsync) {
        const headers = { Location: `/v1/push/${pushId}`, 'Preference-Applied': 'respond-async' }
        return { status: 202, headers, data: open(pushId, body.call_id) }
      }
      return result ? answer(body.call_id, result) : { data: open(pushId, body.call_id) }
    },
  })

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
      return { data: describe(record.id, record.callId, record) }
    },
  })

const open = (pushId: string, callId: string) => ({
  delivered: false,
  call_id: callId,
  push_id: pushId,
  status: 'queued',
  token_valid: true,
})

/** FlowPBX counts every status but 200 as a failure, and a dead token is one. */
function answer(callId: string, result: PushResult): Reply {
  const described = describe(result.id, callId, result)
  if (result.state === 'delivered') return { data: described }
  const { delivered, ...extra } = described
  throw new Problem('push_failed', { extra })
}

const describe = (id: string, callId: string, push: PushResult | PushRecord) => ({
  delivered: push.state === 'delivered',
  call_id: callId,
  push_id: id,
  status: push.state,
  token_valid: push.state !== 'token_dead',
  attempts: push.attempts,
  ...(push.reason !== undefined && { reason: push.reason }),
  ...(push.detail !== undefined && { detail: push.detail }),
  ...(push.providerId !== undefined && { provider_id: push.providerId }),
})
