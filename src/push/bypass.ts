import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { bulkhead } from 'cockatiel'
import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import type { Events } from '../observability/events.ts'
import type { Claims } from './claims.ts'
import type { DeliverCall } from './deliver-call.ts'
import type { Outcomes } from './outcomes.ts'
import type { CallLanePush } from './push.ts'
import type { PushLog } from './push-log.ts'
import { because } from './push-result.ts'

/** Pushes that one API process sends at the same time: a burst beyond it goes on to voicemail instead of piling up here. */
const MAX_IN_FLIGHT = 64

/** Sends calls from the process that accepted them while the queue is away. */
export interface Bypass {
  /** False: no room; the push is closed as failed and nothing is sent. */
  take(push: CallLanePush, replyTo: string, cause: Error): boolean
  /** Resolves when every push in hand has ended. */
  idle(): Promise<void>
}

export interface BypassDeps {
  /** With claims that do not need the store. */
  deliver: DeliverCall
  /** Those that workers see. */
  claims: Claims
  /** Milliseconds between the tries, as the queue would make them. */
  pauses: readonly number[]
  outcomes: Outcomes
  pushLog: PushLog
  events: Events
  clock: Clock
}

export function createBypass(deps: BypassDeps, limit = MAX_IN_FLIGHT): Bypass {
  const { deliver, pauses, events } = deps
  const slots = bulkhead(limit)
  const inHand = new Set<Promise<void>>()

  async function sendAll(push: CallLanePush, replyTo: string): Promise<void> {
    for (let number = 0; ; number += 1) {
      const pauseMs = pauses[number] ?? 0
      const verdict = await deliver(push, replyTo, { number, last: number >= pauses.length, pauseMs })
      if (verdict.done) return
      await delay(Math.max(pauseMs, verdict.retryAfterMs ?? 0))
    }
  }

  return {
    take(push, replyTo, cause) {
      if (slots.executionSlots === 0) {
        giveUp(deps, push, replyTo)
        return false
      }
      events.callBypassed(push, cause)
      const work = slots
        .execute(() => sendAll(push, replyTo))
        .catch((error: unknown) => events.backgroundError('bypass', toError(error)))
        .finally(() => inHand.delete(work))
      inHand.add(work)
      return true
    },
    async idle() {
      await Promise.all(inHand)
    },
  }
}

function giveUp(
  { claims, outcomes, pushLog, events, clock }: BypassDeps,
  push: CallLanePush,
  replyTo: string,
): void {
  const result = {
    id: push.id,
    state: 'failed',
    attempts: 0,
    ...because('queue_unavailable'),
    closedAt: clock.now(),
  } as const
  events.pushClosed(push, result)
  pushLog.answered(push.id)
  pushLog.closed(push, result).catch((error: unknown) => events.backgroundError('push-log', toError(error)))
  // An add that timed out may still arrive. The PBX has moved on by then, so take the only right to send it.
  Promise.all([
    claims.take(push.id, 0, { holder: randomUUID(), until: push.expiresAt }),
    outcomes.report(result, replyTo),
  ]).catch((error: unknown) => events.backgroundError('outcomes', toError(error)))
}
