import { createRequire } from 'node:module'
import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import type { Keyring } from '../lib/keyring.ts'
import { SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import { pauseAfter } from './retry-schedule.ts'
import { sign } from './signature.ts'
import type { DueDelivery, WebhookDeliveryStore } from './webhook-delivery-store.ts'
import type { Answer, WebhookRequest } from './webhook-request.ts'

/** For one attempt from the name to the end of the answer: a receiver should note the event and work on it afterwards. */
const ATTEMPT_MS = 10 * SECOND
/** RFC 9110 section 15.5.11: the receiver is gone for good. */
const GONE = 410

const product: { version: string } = createRequire(import.meta.url)('../../package.json')

/** What the box of a webhook's secret is tied to. */
export const secretContext = (webhookId: string): string => `webhook:${webhookId}`

export interface DeliverWebhookDeps {
  deliveries: Pick<WebhookDeliveryStore, 'delivered' | 'failed'>
  request: WebhookRequest
  keyring: Pick<Keyring, 'open'>
  clock: Clock
  events: Pick<Events, 'webhookAttempted' | 'webhookGivenUp' | 'backgroundError'>
}

/**
 * One attempt of a delivery that the caller has claimed, and what follows from it. When `stopping` aborts in the middle of it
 * nothing follows: the lease ends, and another worker takes the delivery over.
 */
export function createDeliverWebhook(deps: DeliverWebhookDeps) {
  const { deliveries, clock, events } = deps
  return async function deliverWebhook(due: DueDelivery, stopping: AbortSignal): Promise<void> {
    const answer = await attempt(deps, due, stopping)
    // An answer counts, also one that came last of all.
    if ('error' in answer && stopping.aborted) return
    const at = clock.now()
    if ('status' in answer && answer.status >= 200 && answer.status < 300) {
      if (await deliveries.delivered(due, at, answer.status)) events.webhookAttempted('delivered')
      return
    }
    const pause = 'status' in answer && answer.status === GONE ? undefined : pauseAfter(due.attempts)
    const nextAttemptAt = pause === undefined ? undefined : at + pause
    if (!(await deliveries.failed(due, answer, { at, nextAttemptAt }))) return
    if (nextAttemptAt === undefined) events.webhookGivenUp(due, answer)
    else events.webhookAttempted('failed')
  }
}
export type DeliverWebhook = ReturnType<typeof createDeliverWebhook>

async function attempt(
  { keyring, request, clock, events }: DeliverWebhookDeps,
  due: DueDelivery,
  stopping: AbortSignal,
): Promise<Answer | { error: 'secret_unreadable' }> {
  let secrets: string[]
  try {
    secrets = secretsOf(due).map((sealed) => keyring.open(sealed, secretContext(due.webhookId)))
  } catch (error) {
    // Sealed under another WAKELINE_SECRET, which an operator may bring back.
    events.backgroundError('webhooks', toError(error))
    return { error: 'secret_unreadable' }
  }
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(due.body)),
    'User-Agent': `Wakeline/${product.version}`,
    'Wakeline-Event-Id': due.eventId,
    'Wakeline-Signature': sign(due.body, secrets, clock.now()),
  }
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(ATTEMPT_MS)])
  return request(due.url, { headers, body: due.body }, signal)
}

const secretsOf = ({ secretSealed, previousSecretSealed }: DueDelivery): string[] =>
  previousSecretSealed === undefined ? [secretSealed] : [secretSealed, previousSecretSealed]
