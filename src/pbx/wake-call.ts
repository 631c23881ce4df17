import type { CallToken, PhoneStore } from '../devices/phone-store.ts'
import { tokenContext } from '../devices/register-device.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { callUuid, derivedId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import type { RateLimit } from '../limits/rate-limits.ts'
import type { Events } from '../observability/events.ts'
import type { PushOf } from '../push/push.ts'
import type { Privacy } from '../push/push-kinds.ts'
import type { SubmitCall } from '../push/submit-call.ts'
import type { CallEvents } from './call-events.ts'
import type { CallSignals } from './call-signals.ts'
import { type CallWake, freshContacts, outcomeOf } from './call-wake.ts'
import type { Hold, HoldResult } from './hold.ts'

export interface CallRequest {
  callId: string
  extension: string
  callerId: string
  callerName?: string
  /** Milliseconds the call is worth a push. */
  ttlMs: number
}

export interface WakeCallDeps {
  phones: PhoneStore
  calls: CallSignals
  hold: Hold
  callEvents: CallEvents
  extensionCalls: RateLimit
  submitCall: SubmitCall
  keyring: Keyring
  events: Events
  clock: Clock
  /** What Apple and Google may read of a call. */
  privacy: Privacy
}

export interface WokenCall extends HoldResult {
  call: CallWake
  waitedMs: number
}

/** Brings an extension's phones to a call, and holds the PBX's request for it. */
export function createWakeCall(deps: WakeCallDeps) {
  const { calls, hold, callEvents, clock, events } = deps

  const started = async (tenantId: string, request: CallRequest) => {
    const { dnd, tokens } = await reachable(
      'store_unavailable',
      findPhones(deps, tenantId, request.extension),
    )
    const call = await reachable(
      'queue_unavailable',
      startLimited(deps, newCall(tenantId, request, dnd, tokens, clock.now())),
    )
    return { call, pushAll: () => pushAll(deps, request, call, tokens) }
  }

  return {
    /** Starts the call and waits up to `waitMs` for a phone; a call that is known already is joined. */
    async wake(
      tenantId: string,
      request: CallRequest,
      waitMs: number,
      signal: AbortSignal,
    ): Promise<WokenCall> {
      const begin = clock.monotonic()
      const { call, pushAll } = await started(tenantId, request)
      // Joined on another node after the first one died: the caller has been listening since the call began.
      const passed = Math.max(0, clock.now() - call.startedAt)
      const deadline = begin + Math.max(0, waitMs - passed)
      const result = await hold.hold(call, { deadline, push: pushAll, signal })
      const waitedMs = Math.round(clock.monotonic() - begin + passed)
      events.holdEnded({ id: call.id, outcome: result.outcome, waitedMs, ...wokeAfter(call, result) })
      return { ...result, call, waitedMs }
    },

    /** Starts the call and returns at once. */
    async start(tenantId: string, request: CallRequest): Promise<WokenCall> {
      const { call, pushAll } = await started(tenantId, request)
      const state = await reachable('queue_unavailable', calls.read(call))
      const outcome = outcomeOf(call, state)
      if (!outcome) await pushAll()
      return {
        call,
        state,
        outcome: outcome ?? 'waking',
        waitedMs: Math.max(0, clock.now() - call.startedAt),
      }
    },

    /** Waits up to `waitMs` for news of a call that is under way. */
    async follow(tenantId: string, id: string, waitMs: number, signal: AbortSignal): Promise<WokenCall> {
      const begin = clock.monotonic()
      const call = await findOwn(calls, tenantId, id)
      const alive = Math.max(0, call.expiresAt - clock.now())
      const result = await hold.hold(call, { deadline: begin + Math.min(waitMs, alive), signal })
      return { ...result, call, waitedMs: Math.max(0, clock.now() - call.startedAt) }
    },

    /** The phones of a call as they become ready, and its end. */
    async watch(tenantId: string, id: string, signal: AbortSignal) {
      const call = await findOwn(calls, tenantId, id)
      return { call, news: callEvents(call, signal) }
    },

    /** The caller hung up, or somebody declined: every hold of the call ends. */
    async end(tenantId: string, id: string, kind: 'cancelled' | 'declined'): Promise<void> {
      const call = await findOwn(calls, tenantId, id)
      await reachable('queue_unavailable', calls.end(call.id, { kind, at: clock.now() }))
    },
  }
}
export type WakeCall = ReturnType<typeof createWakeCall>

/** A store that does not answer costs the caller a moment, not the ring time. */
const STORE_MS = 1_000

async function reachable<T>(code: 'store_unavailable' | 'queue_unavailable', work: Promise<T>): Promise<T> {
  try {
    return await within(STORE_MS, 'starting the call', work)
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    throw new Problem(code, { retryAfter: 1, cause })
  }
}

/** Starts the call unless its extension had too many of late. To join one that is known already is free. */
async function startLimited({ calls, extensionCalls }: WakeCallDeps, call: CallWake): Promise<CallWake> {
  const { tenantId, extension } = call
  try {
    await extensionCalls.take(tenantId, extension)
  } catch (refusal) {
    const known = await calls.find(call.id)
    if (known) return known
    throw refusal
  }
  const stored = await calls.start(call)
  if (stored !== call) extensionCalls.giveBack(tenantId, extension)
  return stored
}

async function findPhones({ phones }: WakeCallDeps, tenantId: string, number: string) {
  const found = await phones.find(tenantId, number)
  if (!found) throw new Problem('unknown_extension', { field: 'extension' })
  return found.dnd ? { dnd: true, tokens: [] } : found
}

async function findOwn(calls: CallSignals, tenantId: string, id: string): Promise<CallWake> {
  const call = await reachable('queue_unavailable', calls.find(id))
  if (!call || call.tenantId !== tenantId) throw new Problem('unknown_call')
  return call
}

function newCall(
  tenantId: string,
  { callId, extension, ttlMs }: CallRequest,
  dnd: boolean,
  tokens: readonly CallToken[],
  startedAt: number,
): CallWake {
  const id = derivedId(tenantId, 'call', callId, extension)
  const pushes = tokens.map(({ deviceId, deviceKey, kind }) => ({
    pushId: derivedId(id, deviceId),
    deviceId,
    deviceKey,
    provider: providerOf(kind),
  }))
  return { id, tenantId, callId, extension, startedAt, expiresAt: startedAt + ttlMs, dnd, pushes }
}

/**
 * One push per device. Safe to repeat on another node: ids are derived, so the queue and the workers know them again. Throws
 * only when not a single push could be handed over.
 */
async function pushAll(
  deps: WakeCallDeps,
  request: CallRequest,
  call: CallWake,
  tokens: readonly CallToken[],
): Promise<void> {
  const { submitCall, calls } = deps
  const byDevice = new Map(tokens.map((token) => [token.deviceId, token]))
  const submitted = await Promise.allSettled(
    call.pushes.map(async ({ pushId, deviceId }) => {
      const token = byDevice.get(deviceId)
      // Gone since the call began, for example logged out: nobody to wake there.
      if (token)
        await submitCall(toPush(deps, request, call, pushId, token), calls.channelOf(call.id), 'late')
    }),
  )
  const failed = submitted.filter(({ status }) => status === 'rejected')
  if (failed.length > 0 && failed.length === submitted.length)
    throw (failed[0] as PromiseRejectedResult).reason
}

function toPush(
  { keyring, privacy }: WakeCallDeps,
  request: CallRequest,
  call: CallWake,
  id: string,
  token: CallToken,
): PushOf<'call'> {
  return {
    id,
    tenantId: call.tenantId,
    kind: 'call',
    provider: providerOf(token.kind),
    environment: token.environment,
    appId: token.appId,
    tokenKind: token.kind,
    privacy,
    token: keyring.open(token.tokenSealed, tokenContext(token.tokenHash)),
    tokenHash: token.tokenHash,
    deviceId: token.deviceId,
    extension: call.extension,
    content: {
      callId: call.callId,
      callUuid: callUuid(call.tenantId, call.callId, token.tokenHash),
      callerId: request.callerId,
      ...(request.callerName !== undefined && { callerName: request.callerName }),
    },
    acceptedAt: call.startedAt,
    expiresAt: call.expiresAt,
  }
}

const providerOf = (kind: CallToken['kind']) => (kind === 'apns_voip' ? 'apns' : 'fcm')

function wokeAfter(call: CallWake, { outcome, state }: HoldResult) {
  if (outcome !== 'registered') return {}
  const first = Math.min(...freshContacts(call, state.registrations).map(({ at }) => at))
  return { wokeAfterMs: Math.max(0, first - call.startedAt) }
}
