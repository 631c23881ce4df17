import { z } from 'zod'
import { validate } from '../http/validate.ts'
import { Problem } from '../lib/problem.ts'
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
        }),
      )
      .describe('In the order of the request.'),
  })
  .meta({ id: 'PushBatchAnswer' })
type Item = z.output<typeof PushBatchAnswer>['results'][number]

/** Accepts the items of a batch side by side: those of the messages lane share their commits. */
export function createPushBatch(gatewayPush: GatewayPush) {
  return async function pushBatch(
    sender: Sender,
    { pushes }: PushBatch,
    { key, signal }: { key: string | undefined; signal: AbortSignal },
  ): Promise<z.output<typeof PushBatchAnswer>> {
    const accept = async (item: PushBatch['pushes'][number]): Promise<Item> => {
      try {
        const request = validate(BatchItem, item)
        const { push } = await gatewayPush(sender, request, {
          // As JSON, so that no pair of key and id looks like another.
          ...(key !== undefined && { idempotencyKey: JSON.stringify([key, item.id]) }),
          wait: false,
          signal,
        })
        return { id: item.id, status: 'queued', push_id: push.id }
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        const { field } = error.details
        const why = { code: error.code, error: error.message, ...(field !== undefined && { field }) }
        return { id: item.id, status: 'refused', ...why }
      }
    }
    const results = await Promise.all(pushes.map(accept))
    return { accepted: results.filter(({ status }) => status === 'queued').length, results }
  }
}
