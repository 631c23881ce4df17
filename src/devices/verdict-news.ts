import { toError } from '../lib/error.ts'
import type { Events } from '../observability/events.ts'
import { type Announce, describeVerdict, type TokenVerdict, VERDICT_EVENTS } from './token-verdict.ts'

/** Tells owners what becomes of their tokens. Whoever misses it finds it in the list of verdicts. */
export function createVerdictNews({ announce, events }: { announce: Announce; events: Events }) {
  const tell = async (tenantId: string, type: string, data: Record<string, unknown>): Promise<void> => {
    try {
      await announce(tenantId, { type, data })
    } catch (error) {
      events.backgroundError('announce', toError(error))
    }
  }
  return {
    /** A verdict that is new or has another state now. Never rejects. */
    judged: (verdict: TokenVerdict): Promise<void> =>
      tell(verdict.tenantId, VERDICT_EVENTS[verdict.state], describeVerdict(verdict)),
    /** Verdicts that a provider has contradicted by taking a push to the token. Never rejects. */
    async restored(verdicts: readonly TokenVerdict[]): Promise<void> {
      for (const verdict of verdicts) {
        await tell(verdict.tenantId, VERDICT_EVENTS.restored, { ...describeVerdict(verdict), state: 'valid' })
      }
    },
  }
}
export type VerdictNews = ReturnType<typeof createVerdictNews>
