import type { Outcome } from './outcome.ts'
import type { PushResult } from './push-result.ts'
import type { Tried } from './send-try.ts'

/** How a push ends when this try is its last. */
export function endingOf({ outcome, tokenState, environment, sentAt, answeredAt }: Tried) {
  return {
    ...stateOf(outcome),
    ...(tokenState !== 'valid' && { tokenState }),
    ...(environment && { environment }),
    sentAt,
    answeredAt,
  }
}

function stateOf(
  outcome: Outcome,
): Pick<PushResult, 'state' | 'reason' | 'detail' | 'providerId' | 'providerStatus' | 'uncertain'> {
  if (outcome.kind === 'accepted') {
    return { state: 'delivered', providerId: outcome.providerId, providerStatus: 200 }
  }
  const { reason, detail, status } = outcome
  const said = { reason, detail, ...(status !== undefined && { providerStatus: status }) }
  switch (outcome.kind) {
    case 'token_dead':
      return { state: 'token_dead', ...said }
    case 'rejected':
      return { state: 'rejected', ...said }
    case 'retry':
      return { state: 'failed', ...said, detail: `${detail} No time or try was left.` }
    case 'unknown':
      return { state: 'failed', ...said, uncertain: true }
  }
}
