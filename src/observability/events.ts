import { SECOND } from '../lib/units.ts'
import type { Push } from '../push/push.ts'
import type { PushResult } from '../push/push-result.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'

/** One function per thing that happens: its counter and its log line are written together and cannot disagree. */
export function createEvents(logger: Logger, metrics: Metrics) {
  return {
    pushClosed(push: Push, result: PushResult): void {
      const { provider, kind } = push
      metrics.pushes.inc({ provider, kind, state: result.state, reason: result.reason ?? '' })
      if (result.answeredAt)
        metrics.pushSeconds.observe({ provider }, (result.answeredAt - push.acceptedAt) / SECOND)
      const line = { push_id: push.id, call_id: push.content.callId, provider, ...result }
      // Rejected is our own payload, key or topic: a person must act, or no phone of this app will ring.
      if (result.state === 'rejected') logger.error(line, 'push rejected by the provider')
      else if (result.state === 'failed') logger.warn(line, 'push failed')
      else logger.debug(line, 'push ended')
    },

    tokenInvalidated(push: Push, reason: string): void {
      metrics.tokensInvalidated.inc({ provider: push.provider })
      logger.info({ push_id: push.id, device_id: push.deviceId, reason }, 'device token invalidated')
    },

    holdEnded(call: { id: string; outcome: string; waitedMs: number; wokeAfterMs?: number }): void {
      metrics.holds.observe({ outcome: call.outcome }, call.waitedMs / SECOND)
      if (call.wokeAfterMs !== undefined) metrics.wakeSeconds.observe(call.wokeAfterMs / SECOND)
      logger.debug(call, 'hold ended')
    },

    /** Something failed while nobody waited for it. */
    backgroundError(part: string, error: Error): void {
      metrics.backgroundErrors.inc({ part })
      logger.warn({ part, err: { message: error.message, name: error.name } }, 'background error')
    },
  }
}
export type Events = ReturnType<typeof createEvents>
