import type { Context } from '../src/context.ts'
import { toError } from '../src/lib/error.ts'
import { type Loop, startLoop } from '../src/lib/loop.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../src/lib/units.ts'
import type { DueDelivery } from '../src/webhooks/webhook-delivery-store.ts'

type Deps = Pick<Context, 'webhookDeliveries' | 'webhookStore' | 'deliverWebhook' | 'clock' | 'events'>

/** Nobody holds a line while an owner is told, and a look at the table costs little. */
const LOOK_EVERY_MS = 2 * SECOND
/** In one process: each is one connection and at most 64 kB. */
const MAX_IN_FLIGHT = 32
/** A receiver that takes its time keeps no more than these from the others. */
const MAX_PER_WEBHOOK = 2
/** An attempt takes 10 s and its row at most 5 s: what comes back after this was in the hands of a dead worker. */
const LEASE_MS = MINUTE

const CLEAR_EVERY_MS = HOUR
const KEEP_MS = { delivered_at: 7 * DAY, given_up_at: 30 * DAY } as const
/** Rows removed at once: each statement must stay short. */
const CLEAR_BATCH = 1_000

/**
 * Tells owners what happened, until closed. No job of the queue is behind it but the rows alone, so that a queue that was lost
 * loses no event. Attempts still in hand when closing takes too long are cut off, and other workers make them again.
 */
export function startWebhookDelivery(deps: Deps): Loop {
  const cutOff = new AbortController()
  const inHand = createInHand()
  const onError = (error: unknown) => deps.events.backgroundError('webhooks', toError(error))

  /** True while it must not wait for the next look: what has ended makes room for more. */
  const look = async (): Promise<boolean> => {
    const before = inHand.ended()
    for (const due of await take(deps, inHand)) {
      inHand.add(due.webhookId, deps.deliverWebhook(due, cutOff.signal).catch(onError))
    }
    if (inHand.size() > 0) await inHand.oneMoreThan(before, LOOK_EVERY_MS)
    return inHand.size() > 0 || inHand.ended() > before
  }
  const loops = [
    startLoop(look, { everyMs: LOOK_EVERY_MS, onError }),
    startLoop(() => clear(deps), { everyMs: CLEAR_EVERY_MS, onError }),
  ]
  return {
    async close(ms) {
      const patience = setTimeout(() => cutOff.abort(), ms)
      await Promise.all(loops.map((loop) => loop.close(ms)))
      await inHand.empty()
      clearTimeout(patience)
    },
  }
}

async function take({ webhookDeliveries, clock }: Deps, inHand: InHand): Promise<DueDelivery[]> {
  const limit = MAX_IN_FLIGHT - inHand.size()
  if (limit <= 0) return []
  const now = clock.now()
  return webhookDeliveries.claim({
    now,
    leaseUntil: now + LEASE_MS,
    limit,
    perWebhook: MAX_PER_WEBHOOK,
    inFlight: inHand.byWebhook(),
  })
}

/** Forgets what was told, or could not be told, long ago. True when there may be more of it. */
async function clear({ webhookDeliveries, webhookStore, clock }: Deps): Promise<boolean> {
  const now = clock.now()
  await webhookStore.forgetPreviousSecrets(now)
  const delivered = await webhookDeliveries.prune('delivered_at', now - KEEP_MS.delivered_at, CLEAR_BATCH)
  const givenUp = await webhookDeliveries.prune('given_up_at', now - KEEP_MS.given_up_at, CLEAR_BATCH)
  return Math.max(delivered, givenUp) === CLEAR_BATCH
}

type InHand = ReturnType<typeof createInHand>

/** The attempts under way. */
function createInHand() {
  const attempts = new Map<Promise<void>, string>()
  let ended = 0
  let bell = Promise.withResolvers<void>()
  const ring = () => {
    bell.resolve()
    bell = Promise.withResolvers()
  }
  return {
    add(webhookId: string, attempt: Promise<void>): void {
      const tracked = attempt.finally(() => {
        attempts.delete(tracked)
        ended += 1
        ring()
      })
      attempts.set(tracked, webhookId)
    },
    size: (): number => attempts.size,
    /** How many have ended so far. */
    ended: (): number => ended,
    /** Waits until more than `count` have ended, at most `ms`. */
    async oneMoreThan(count: number, ms: number): Promise<void> {
      if (ended > count) return
      const timer = setTimeout(ring, ms)
      await bell.promise
      clearTimeout(timer)
    },
    byWebhook(): Map<string, number> {
      const counts = new Map<string, number>()
      for (const id of attempts.values()) counts.set(id, (counts.get(id) ?? 0) + 1)
      return counts
    },
    async empty(): Promise<void> {
      await Promise.all(attempts.keys())
    },
  }
}
