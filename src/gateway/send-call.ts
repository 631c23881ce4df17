import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Outcomes } from '../push/outcomes.ts'
import type { PendingPushStore } from '../push/pending-push-store.ts'
import type { CallLanePush, Push } from '../push/push.ts'
import type { PushLog } from '../push/push-log.ts'
import type { PushLogStore, PushRecord } from '../push/push-log-store.ts'
import { because, type PushResult } from '../push/push-result.ts'
import type { SubmitCall } from '../push/submit-call.ts'
import type { Signals } from '../signals/signals.ts'
import { claimKey, releaseKey } from './idempotency.ts'

/** FlowPBX gives up after 10 s; our answer must be there before. */
const MAX_WAIT_MS = 8 * SECOND
/** Time for a worker to say that the push has expired. */
const LATE_MS = SECOND / 2
/** A repeated request is worth a look into the push log, but not for long. */
const LOOK_MS = SECOND
/** The job of a known push may be added again for so long: the claim that keeps it single lasts a minute more. */
const REVIVE_MS = 4 * MINUTE

export interface SendCallDeps {
  submitCall: SubmitCall
  pendingPushes: PendingPushStore
  outcomes: Outcomes
  pushLog: PushLog
  pushLogStore: PushLogStore
  signals: Signals
  clock: Clock
}

/** `result` is missing while the outcome is open, as it always is for messages: those are promised, not awaited. */
export interface Accepted {
  push: Push
  result?: PushResult | PushRecord
}

interface Wish {
  /** Of the request, if it came with an idempotency key. */
  hash: string | undefined
  /** For the outcome. */
  wait: boolean
  signal: AbortSignal
}

/** Sends a push of the calls lane, or finds what became of it when the same request was made before. */
export function createSendCall(deps: SendCallDeps) {
  const send = createSend(deps)
  return async (asked: CallLanePush, { hash, wait, signal }: Wish): Promise<Accepted> => {
    if (hash === undefined) return send(asked, wait && signal)
    const { push, isNew } = await claimKey(deps, asked, hash)
    if (!isNew) return repeat(deps, push, wait && signal)
    try {
      return await send(push, wait && signal)
    } catch (error) {
      if (error instanceof Problem && error.code === 'queue_unavailable') {
        await releaseKey(deps, asked).catch(() => undefined) // the stores are away, as the answer says
      }
      throw error
    }
  }
}

/** @param waiting false: the caller does not wait for the outcome */
const createSend =
  (deps: SendCallDeps) =>
  async (push: CallLanePush, waiting: AbortSignal | false): Promise<Accepted> => {
    const { submitCall, outcomes } = deps
    if (waiting) return awaitCall(deps, push, waiting, () => submitCall(push, outcomes.replyTo, 'late'))
    await submitCall(push, outcomes.replyTo, 'now')
    return { push }
  }

/**
 * A repeated request gets the outcome of the first, however long ago that was. Should the first one have got no further than its
 * key, its job is added now, with its own times; where the job is already, that does nothing.
 */
async function repeat(
  deps: SendCallDeps,
  push: CallLanePush,
  waiting: AbortSignal | false,
): Promise<Accepted> {
  const { submitCall, outcomes, clock } = deps
  const known = await endOf(deps, push)
  if (known) return { push, ...(waiting && { result: known }) }
  const now = clock.now()
  const again = async () => {
    if (now < Math.min(push.expiresAt, push.acceptedAt + REVIVE_MS)) {
      await submitCall.again(push, outcomes.replyTo)
    }
  }
  if (waiting && now < push.expiresAt + LATE_MS) return awaitCall(deps, push, waiting, again)
  await again()
  const lost = { id: push.id, state: 'failed', attempts: 0, ...because('no_outcome'), closedAt: now } as const
  return { push, ...(waiting && { result: lost }) }
}

async function endOf(
  { outcomes, pushLogStore }: SendCallDeps,
  { id, tenantId, acceptedAt }: CallLanePush,
): Promise<PushResult | PushRecord | undefined> {
  const [result] = await outcomes.find([id])
  if (result) return result
  const record = await within(LOOK_MS, 'reading the push log', pushLogStore.find(tenantId, id)).catch(
    () => undefined, // then the claim alone sees to it that nothing rings twice
  )
  return record?.closedAt !== undefined && record.acceptedAt === acceptedAt ? record : undefined
}

async function awaitCall(
  { outcomes, pushLog, clock }: SendCallDeps,
  push: CallLanePush,
  signal: AbortSignal,
  submit: () => Promise<void>,
): Promise<Accepted> {
  const waitMs = Math.min(MAX_WAIT_MS, push.expiresAt - clock.now() + LATE_MS)
  const waiter = outcomes.wait(push.id, waitMs)
  signal.addEventListener('abort', waiter.cancel, { once: true })
  try {
    await submit()
    const result = await waiter.result
    if (result) pushLog.answered(push.id)
    return { push, ...(result && { result }) }
  } finally {
    waiter.cancel()
  }
}
