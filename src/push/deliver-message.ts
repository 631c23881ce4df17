import { createBatcher } from '../lib/batcher.ts'
import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import type { Keyring } from '../lib/keyring.ts'
import { SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Attempt } from './deliver-call.ts'
import { endingOf } from './ending.ts'
import type { Outcomes } from './outcomes.ts'
import type { PendingPush, PendingPushStore } from './pending-push-store.ts'
import type { ProviderCircuit } from './provider-circuit.ts'
import type { Push } from './push.ts'
import type { Provider } from './push-kinds.ts'
import { because, type PushResult, skipBecause } from './push-result.ts'
import type { Recheck } from './recheck.ts'
import { openPush } from './sealed-push.ts'
import type { SendTry, Tried } from './send-try.ts'

/** Nobody waits for a message, but a worker's slot does. */
const TRY_MS = 10 * SECOND
/** Pushes of one moment that are taken up, or ended, with one commit. */
const BATCH = 200
const GATHER_MS = 5

/** `holdMs`: the provider is down, so no other push of its queue is worth a try for so long. */
export type MessageVerdict =
  | { done: true }
  | { done: false; reason: string; retryAfterMs?: number; holdMs?: number }

/** A job for a push that nobody has ever accepted. */
export class UnknownPush extends Error {
  override readonly name = 'UnknownPush'
  constructor(id: string) {
    super(`there is no push ${id}`)
  }
}

export interface DeliverMessageDeps {
  pendingPushes: PendingPushStore
  sendTry: SendTry
  recheck: Recheck
  circuit: ProviderCircuit
  outcomes: Outcomes
  keyring: Keyring
  events: Events
  clock: Clock
}

/**
 * One try of one push of the messages lane. The pending row decides: it is read again before each try, and whoever took it last
 * ends it. An outcome that nobody knows is tried again, because a message that is missing is worse than one that comes twice; the
 * collapse id makes the second one replace the first.
 */
export function createDeliverMessage(deps: DeliverMessageDeps) {
  const { pendingPushes, circuit, outcomes, clock } = deps
  const takes = createBatcher((ids: string[]) => takeAll(pendingPushes, ids), {
    size: BATCH,
    parallel: 2,
    waitMs: GATHER_MS,
  })
  const end = createEnd(deps)

  async function deliver(id: string, provider: Provider, attempt: Attempt): Promise<MessageVerdict> {
    const waitMs = circuit.waitMs(provider)
    if (waitMs > 0) return held(waitMs)

    const row = await takes.add(id)
    if (!row) {
      if (await pendingPushes.isLogged(id)) return { done: true } // it has ended before
      throw new UnknownPush(id)
    }
    const push = await readBack(deps, row)
    if (!push) return { done: true }
    const checkpoint = row.fence > 1 ? (await outcomes.find([id]))[0] : undefined
    if (checkpoint) return end(push, row.fence, checkpoint)
    const startedAt = clock.now()
    const times = { id, attempts: row.fence, startedAt }
    const left = push.expiresAt - startedAt
    if (left <= 0) return end(push, row.fence, expired(row, startedAt))

    const checked = push.subject ? await deps.recheck(push) : { send: push }
    if ('skip' in checked) {
      const skipped = { ...times, attempts: row.fence - 1, ...skipBecause(checked.skip) }
      return end(push, row.fence, { ...skipped, closedAt: clock.now() })
    }
    const tried = await circuit.run(push, () => deps.sendTry(checked.send, row.fence, Math.min(TRY_MS, left)))
    if (!tried) return putOff(circuit, push, attempt)
    const wait = waitAfter(tried, attempt)
    if (wait !== undefined && clock.now() + wait < push.expiresAt) return again(tried, wait)
    return end(push, row.fence, { ...times, ...endingOf(tried), closedAt: clock.now() })
  }

  /** Ends pushes whose time has come while they waited. */
  async function expire(rows: readonly PendingPush[]): Promise<void> {
    const taken = await pendingPushes.take(rows.map(({ id }) => id))
    for (const row of taken) {
      const push = await readBack(deps, row)
      if (push) await end(push, row.fence, expired(row, clock.now()))
    }
  }

  /** Ends a push of which workers died over and over: another try could kill the next one. */
  async function abandon(id: string): Promise<void> {
    const [row] = await pendingPushes.take([id])
    const push = row && (await readBack(deps, row))
    if (!push) return
    deps.events.pushParked(push)
    const parked = { state: 'failed', ...because('poison'), uncertain: true } as const
    await end(push, row.fence, { id, attempts: row.fence, ...parked, closedAt: clock.now() })
  }
  return Object.assign(deliver, { expire, abandon })
}
export type DeliverMessage = ReturnType<typeof createDeliverMessage>

const held = (waitMs: number): MessageVerdict => ({
  done: false,
  reason: 'the provider is down',
  retryAfterMs: waitMs,
  holdMs: waitMs,
})

/** The provider is down for the push's app; other apps may be waiting in the same queue. */
function putOff(circuit: ProviderCircuit, push: Push, { pauseMs }: Attempt): MessageVerdict {
  const waitMs = circuit.waitMs(push.provider)
  if (waitMs > 0) return held(waitMs)
  const retryAfterMs = Math.max(circuit.waitOf(push), pauseMs, SECOND)
  return { done: false, reason: 'the provider is down for this app', retryAfterMs }
}

const again = ({ outcome }: Tried, wait: number): MessageVerdict => ({
  done: false,
  reason: 'reason' in outcome ? outcome.reason : outcome.kind,
  retryAfterMs: wait,
})

/** How long to wait for the next try (ms); undefined: there is nothing to be gained by one. */
function waitAfter({ outcome }: Tried, { pauseMs }: Attempt): number | undefined {
  switch (outcome.kind) {
    case 'retry':
      return Math.max(pauseMs, outcome.retryAfterMs ?? 0)
    case 'unknown':
      return pauseMs
    case 'rejected':
      // A person has to mend the configuration, and until the push expires there is time for it.
      return outcome.class === 'config' ? pauseMs : undefined
    default:
      return undefined
  }
}

const expired = ({ id, fence }: PendingPush, now: number): PushResult => ({
  id,
  state: 'expired',
  attempts: fence - 1,
  ...because('expired'),
  closedAt: now,
})

async function takeAll(store: PendingPushStore, ids: string[]): Promise<(PendingPush | undefined)[]> {
  const rows = new Map((await store.take([...new Set(ids)])).map((row) => [row.id, row]))
  // The same id twice in one batch: two jobs for one push, and only one of them may have it.
  return ids.map((id) => {
    const row = rows.get(id)
    rows.delete(id)
    return row
  })
}

async function readBack(
  { pendingPushes, keyring, events }: DeliverMessageDeps,
  row: PendingPush,
): Promise<Push | undefined> {
  try {
    return openPush(keyring, row.sealed, row.id)
  } catch (error) {
    events.backgroundError('messages', toError(error))
    await pendingPushes.endUnreadable(row, because('unreadable'))
    return undefined
  }
}

/** The answer is noted in two stores, so that a database that is away for a moment does not cost a second notification. */
function createEnd({ pendingPushes, outcomes, events }: DeliverMessageDeps) {
  const ends = createBatcher(
    (ended: { push: Push; fence: number; result: PushResult }[]) => pendingPushes.end(ended),
    { size: BATCH, parallel: 2, waitMs: GATHER_MS },
  )
  return async (push: Push, fence: number, result: PushResult): Promise<MessageVerdict> => {
    const noted = outcomes.note(result).catch((error: unknown) => {
      events.backgroundError('outcomes', toError(error))
    })
    const [isOurs] = await Promise.all([ends.add({ push, fence, result }), noted])
    // Otherwise another worker has taken the push up since, and what it does counts.
    if (isOurs) events.pushClosed(push, result)
    return { done: true }
  }
}
