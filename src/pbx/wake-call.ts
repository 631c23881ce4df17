import type { PhoneStore } from '../devices/phone-store.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { Problem } from '../lib/problem.ts'
import type { AnswerHeaders } from '../limits/rate-limit-headers.ts'
import type { RateLimit } from '../limits/rate-limits.ts'
import type { TenantAllowance, TenantPushes } from '../limits/tenant-pushes.ts'
import type { Events } from '../observability/events.ts'
import type { CallEvents } from './call-events.ts'
import type { CallNews } from './call-news.ts'
import { type CallPushDeps, type CallRequest, newCall, pushAll } from './call-pushes.ts'
import type { CallSignals } from './call-signals.ts'
import { type CallPush, type CallWake, freshContacts, outcomeOf } from './call-wake.ts'
import type { Hold, HoldResult } from './hold.ts'

export interface WakeCallDeps extends CallPushDeps {
  phones: PhoneStore
  callNews: CallNews
  hold: Hold
  callEvents: CallEvents
  extensionCalls: RateLimit
  tenantPushes: TenantPushes
  events: Events
  clock: Clock
}

export interface WokenCall extends HoldResult {
  call: CallWake
  waitedMs: number
}

/** Brings an extension's phones to a call, and holds the PBX's request for it. */
export function createWakeCall(deps: WakeCallDeps) {
  const { calls, hold, callEvents, clock, events } = deps

  const started = async (tenantId: string, request: CallRequest, answer: AnswerHeaders) => {
    const found = findPhones(deps, tenantId, request.extension)
    // Looked for meanwhile, and judged after the licence.
    found.catch(() => undefined)
    const allowance = await reachable('store_unavailable', deps.tenantPushes.admit(tenantId, 'calls', answer))
    const { dnd, tokens } = await reachable('store_unavailable', found)
    const call = await reachable(
      'queue_unavailable',
      startLimited(deps, newCall(tenantId, request, dnd, tokens, clock.now()), allowance),
    )
    return { call, pushAll: () => pushAll(deps, request, call, tokens) }
  }

  return {
    /** Starts the call and waits up to `waitMs` for a phone; a call that is known already is joined. */
    async wake(
      tenantId: string,
      request: CallRequest,
      { waitMs, signal, answer }: { waitMs: number; signal: AbortSignal; answer: AnswerHeaders },
    ): Promise<WokenCall> {
      const begin = clock.monotonic()
      const beganAt = clock.now()
      const { call, pushAll } = await started(tenantId, request, answer)
      // Joined on another node after the first one died: the caller has been listening since the call began.
      const passed = Math.max(0, beganAt - call.startedAt)
      const deadline = begin + Math.max(0, waitMs - passed)
      const result = await hold.hold(call, { deadline, push: pushAll, signal })
      const waitedMs = Math.round(clock.monotonic() - begin + passed)
      events.holdEnded({ id: call.id, outcome: result.outcome, waitedMs, ...wokeAfter(call, result) })
      return { ...result, call, waitedMs }
    },

    /** Starts the call and returns at once. */
    async start(tenantId: string, request: CallRequest, answer: AnswerHeaders): Promise<WokenCall> {
      const { call, pushAll } = await started(tenantId, request, answer)
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
      deps.callNews.ended(
        call,
        await reachable('queue_unavailable', calls.end(call.id, { kind, at: clock.now() })),
      )
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

/**
 * Starts the call unless its extension or its licence had too many of late. To join one that is known already is free. Of what is
 * left of the licence as many phones are pushed to as it goes for, the first ones.
 */
async function startLimited(
  deps: WakeCallDeps,
  call: CallWake,
  allowance: TenantAllowance,
): Promise<CallWake> {
  const { calls, callNews, extensionCalls } = deps
  const { tenantId, extension } = call
  const joined = async (refusal: unknown): Promise<CallWake> => {
    const known = await calls.find(call.id)
    if (known) return known
    throw refusal
  }
  try {
    await extensionCalls.take(tenantId, extension)
  } catch (refusal) {
    return joined(refusal)
  }
  let licenseIds: readonly string[]
  try {
    licenseIds = await allowance.take(call.pushes.length)
  } catch (refusal) {
    extensionCalls.giveBack(tenantId, extension)
    return joined(refusal)
  }
  const pushes = licenseIds.map((licenseId, i) => ({ ...(call.pushes[i] as CallPush), licenseId }))
  const allowed = { ...call, pushes }
  const stored = await calls.start(allowed)
  if (stored === allowed) callNews.started(call)
  else {
    extensionCalls.giveBack(tenantId, extension)
    allowance.giveBack(licenseIds)
  }
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

function wokeAfter(call: CallWake, { outcome, state }: HoldResult) {
  if (outcome !== 'registered') return {}
  const first = Math.min(...freshContacts(call, state.registrations).map(({ at }) => at))
  return { wokeAfterMs: Math.max(0, first - call.startedAt) }
}
