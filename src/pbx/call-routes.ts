import { z } from 'zod'
import { MAX_HOLD_SECONDS } from '../config/config.ts'
import { parsePrefer } from '../http/prefer.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { SECOND } from '../lib/units.ts'
import { answerCall, toContact } from './call-answer.ts'
import type { CallNews } from './call-events.ts'
import type { CallWake } from './call-wake.ts'
import type { PbxKey } from './pbx-key-store.ts'
import { CallAnswer, CallBody } from './pbx-schemas.ts'
import type { WakeCall } from './wake-call.ts'

export interface CallRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  wakeCall: WakeCall
  holdMs: number
  pushTtlMs: number
}

const tag = 'PBX'
const CallParams = z.object({ id: z.uuid('id must be a UUID') })
const Prefer = `\`wait=N\`: hold the request for up to N seconds (at most ${MAX_HOLD_SECONDS}).`
const replies = [
  {
    status: 200,
    description: 'The call has an outcome. `Accept: text/plain` gets it in one line.',
    schema: CallAnswer,
  },
  { status: 202, description: 'Phones are being woken.', schema: CallAnswer },
] as const

/** What a PBX does with a call for a sleeping phone. */
export const callRoutes = (deps: CallRouteDeps): Route[] => [
  startCall(deps),
  readCall(deps),
  watchCall(deps),
  endCall(deps, 'delete', '/api/v1/pbx/calls/{id}', 'cancelled', 'The caller hung up'),
  endCall(
    deps,
    'post',
    '/api/v1/pbx/calls/{id}/decline',
    'declined',
    'Somebody declined the call on a phone',
  ),
]

const startCall = ({ pbxAuth, wakeCall, holdMs, pushTtlMs }: CallRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/pbx/calls',
    tag,
    summary: 'Wake the phones of an extension for a call',
    description:
      'With `Prefer: wait=N` the answer comes when a phone has registered, when none can, or after N seconds; without it, at once. The same call_id and extension again joins the call: after a node died, ask another one. An extension takes 30 new calls a minute. The licence of the tenant must be in force and include `calls`; each phone that is pushed to counts as one of them.',
    auth: pbxAuth,
    headers: {
      Prefer,
      Accept: '`text/plain` for one line: outcome, milliseconds waited, contact or reason.',
    },
    body: CallBody,
    replies,
    problems: [
      'invalid_request',
      'unauthorized',
      'invalid_credentials',
      'license_invalid',
      'not_entitled',
      'unknown_extension',
      'rate_limited',
      'quota_exceeded',
      'too_many_holds',
      'queue_unavailable',
      'store_unavailable',
    ],
    async handler({ body, caller, headers, signal, ...answer }) {
      // `wait=0` asks for an answer at once, and not for a call that is over at once.
      const wait = waitOf(headers.prefer, holdMs) || undefined
      const request = {
        callId: body.call_id,
        extension: body.extension,
        callerId: body.caller_id,
        ...(body.caller_name !== undefined && { callerName: body.caller_name }),
        ttlMs: body.ttl === undefined ? (wait ?? pushTtlMs) : body.ttl * SECOND,
      }
      const woken =
        wait === undefined
          ? await wakeCall.start(caller.tenantId, request, answer)
          : await wakeCall.wake(caller.tenantId, request, { waitMs: wait, signal, answer })
      return answerCall(woken, headers.accept)
    },
  })

const readCall = ({ pbxAuth, wakeCall, holdMs }: CallRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/pbx/calls/{id}',
    tag,
    summary: 'How a call stands; waits for its outcome on request',
    auth: pbxAuth,
    headers: { Prefer },
    params: CallParams,
    replies,
    problems: ['unauthorized', 'invalid_credentials', 'unknown_call', 'too_many_holds', 'queue_unavailable'],
    async handler({ params, caller, headers, signal }) {
      const wait = waitOf(headers.prefer, holdMs) ?? 0
      return answerCall(await wakeCall.follow(caller.tenantId, params.id, wait, signal), headers.accept)
    },
  })

const watchCall = ({ pbxAuth, wakeCall }: CallRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/pbx/calls/{id}/events',
    tag,
    summary: 'The phones of a call as they become ready',
    description:
      'Server-sent events, for a PBX that forks late: `device_ready` with the contact of each phone once it has registered, then `ended` with the outcome. Phones that were ready before are told first.',
    auth: pbxAuth,
    params: CallParams,
    replies: [
      {
        status: 200,
        description: 'Events until the call is over.',
        schema: z.string(),
        contentType: 'text/event-stream',
        bare: true,
      },
    ],
    problems: ['unauthorized', 'invalid_credentials', 'unknown_call', 'too_many_holds', 'queue_unavailable'],
    async handler({ params, caller, signal }) {
      const { call, news } = await wakeCall.watch(caller.tenantId, params.id, signal)
      return { events: toEvents(call, news) }
    },
  })

async function* toEvents(call: CallWake, news: AsyncIterable<CallNews>) {
  for await (const item of news) {
    const data = item.event === 'ended' ? { outcome: item.outcome } : toContact(call, item.contact)
    yield { event: item.event, data }
  }
}

const endCall = (
  { pbxAuth, wakeCall }: CallRouteDeps,
  method: 'delete' | 'post',
  path: string,
  kind: 'cancelled' | 'declined',
  summary: string,
): Route =>
  route({
    method,
    path,
    tag,
    summary: `${summary}: every hold of it ends`,
    auth: pbxAuth,
    params: CallParams,
    replies: [
      {
        status: 200,
        description: 'Done; repeating it changes nothing.',
        schema: z.object({ status: z.literal('ok') }),
      },
    ],
    problems: ['unauthorized', 'invalid_credentials', 'unknown_call', 'queue_unavailable'],
    async handler({ params, caller }) {
      await wakeCall.end(caller.tenantId, params.id, kind)
      return { data: { status: 'ok' } }
    },
  })

/** Milliseconds; `wait` without a usable number means the usual hold. */
function waitOf(prefer: string | string[] | undefined, holdMs: number): number | undefined {
  const { waitSeconds } = parsePrefer(prefer)
  if (waitSeconds !== undefined) return Math.min(waitSeconds, MAX_HOLD_SECONDS) * SECOND
  return /\bwait\b/i.test([prefer ?? ''].flat().join()) ? holdMs : undefined
}
