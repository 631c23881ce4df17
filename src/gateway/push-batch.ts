import { z } from 'zod'
import { validate } from '../http/validate.ts'
import { toError } from '../lib/error.ts'
import { Problem } from '../lib/problem.ts'
import type { PushAllowances } from '../limits/push-allowances.ts'
import type { AnswerHeaders } from '../limits/rate-limit-headers.ts'
import type { Events } from '../observability/events.ts'
import { admitPushes, type LicensedSender } from './admit-push.ts'
import type { Sender } from './build-push.ts'
import type { GatewayPush } from './gateway-push.ts'
import { BatchItem, type PushBatch } from './push-request.ts'

export const PushBatchAnswer = z
  .object({
    accepted: z.int().describe('How many are on their way.'),
    results: z
      .array(
        z.object({
          id: z.string().describe('Yours.'),
          status: z.enum(['queued', 'refused']),
          push_id: z.string().optional().describe('For `GET /v1/push/{id}`.'),
          code: z.string().optional(),
          error: z.string().optional(),
          field: z.string().optional(),
          hint: z.string().optional(),
          retry_after: z.int().optional().describe('Seconds after which it is worth another try.'),
        }),
      )
      .describe('In the order of the request.'),
  })
  .meta({ id: 'PushBatchAnswer' })
type Item = z.output<typeof PushBatchAnswer>['results'][number]

export interface PushBatchDeps {
  gatewayPush: GatewayPush
  events: Pick<Events, 'backgroundError'>
  pushAllowances: PushAllowances
}

/** Accepts the items of a batch side by side: those of the messages lane share their commits. */
export function createPushBatch({ gatewayPush, pushAllowances, events }: PushBatchDeps) {
  return async function pushBatch(
    sender: Sender & LicensedSender,
    { pushes }: PushBatch,
    { key, signal, answer }: { key: string | undefined; signal: AbortSignal; answer: AnswerHeaders },
  ): Promise<z.output<typeof PushBatchAnswer>> {
    const accept = async (request: BatchItem): Promise<Item> => {
      try {
        const { push } = await gatewayPush(sender, request, {
          // As JSON, so that no pair of key and id looks like another.
          ...(key !== undefined && { idempotencyKey: JSON.stringify([key, request.id]) }),
          wait: false,
          signal,
        })
        return { id: request.id, status: 'queued', push_id: push.id }
      } catch (error) {
        // A fault of ours costs this item: the others are on their way, and their ids must be told.
        if (!(error instanceof Problem)) events.backgroundError('push-batch', toError(error))
        return refused(
          request.id,
          error instanceof Problem ? error : new Problem('internal', { cause: error }),
        )
      }
    }
    const read = pushes.map(readItem)
    const good = read.flatMap(({ request }) => request ?? [])
    const kinds = good.map(({ kind }) => kind)
    const problems = await admitPushes(pushAllowances, sender, kinds, answer)
    const refusals = new Map(good.map(({ id }, index) => [id, problems[index]]))
    const results = await Promise.all(
      read.map(async ({ id, request, problem }) => {
        const why = problem ?? refusals.get(id)
        if (why || !request) return refused(id, why)
        return accept(request)
      }),
    )
    return { accepted: results.filter(({ status }) => status === 'queued').length, results }
  }
}

type ReadItem = { id: string; request?: BatchItem; problem?: unknown }

function readItem(item: PushBatch['pushes'][number]): ReadItem {
  try {
    return { id: item.id, request: validate(BatchItem, item) }
  } catch (problem) {
    return { id: item.id, problem }
  }
}

/** Throws what is no Problem: the fault is ours. */
function refused(id: string, why: unknown): Item {
  if (!(why instanceof Problem)) throw why
  const { field, retryAfter, extra } = why.details
  return {
    id,
    status: 'refused',
    code: why.code,
    error: why.message,
    ...(field !== undefined && { field }),
    ...(retryAfter !== undefined && { retry_after: retryAfter }),
    ...(typeof extra?.hint === 'string' && { hint: extra.hint }),
  }
}
