import { z } from 'zod'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { SKIP_REASONS } from '../push/push-result.ts'
import type { PushSearchStore } from '../push/push-search-store.ts'
import type { Operator } from './operator-store.ts'
import { answered, readCursor, toCursor } from './push-pages.ts'
import { describePush, LoggedPush, PushQuery } from './push-schemas.ts'

/** A phone that was told nothing of a message, or all phones of an extension. */
interface WithheldPush {
  extensionId: number
  /** Absent when it is gone. */
  extension?: string
  deviceId?: string
  reason: string
  at: Date
}
export interface MessagePushRouteDeps {
  operatorAuth: AuthScheme<Operator>
  pushSearch: PushSearchStore
  chatOutbox: {
    withheldOf(messageId: string): Promise<readonly WithheldPush[]>
    /** Of which of them somebody has still to be told. */
    owed(messageIds: readonly string[]): Promise<ReadonlySet<string>>
  }
}

const WithheldAnswer = z
  .object({
    extension_id: z.int(),
    extension: z.string().optional().describe('Absent when it is gone.'),
    device_id: z.uuid().optional().describe('Absent: no phone of the extension was told.'),
    reason: z.string().describe('Stable word.'),
    detail: z.string().optional().describe('The same in a sentence.'),
    at: z.string(),
  })
  .meta({ id: 'WithheldPush' })

/** What became of a chat message for each phone, for operators of any role. */
export const messagePushRoutes = ({
  operatorAuth,
  pushSearch,
  chatOutbox,
}: MessagePushRouteDeps): Route[] => [
  route({
    method: 'get',
    path: '/api/v1/operator/messages/{id}/pushes',
    tag: 'Operation',
    summary: 'Which phones were told of a chat message, and why others were not',
    description: 'A phone that is in neither list had the message before it could be pushed.',
    auth: operatorAuth,
    params: z.object({ id: z.uuid('id must be a UUID') }),
    query: PushQuery.pick({ limit: true, cursor: true }),
    replies: [
      {
        status: 200,
        description: 'A page of pushes, the newest first, and all that were withheld.',
        schema: z.object({
          pending: z.boolean().describe('Somebody has still to be told.'),
          pushes: z.array(LoggedPush),
          next_cursor: z.string().optional().describe('For the next page of pushes, if there is one.'),
          withheld: z.array(WithheldAnswer),
        }),
      },
    ],
    problems: ['unauthorized', 'store_unavailable'],
    async handler({ params: { id: messageId }, query: { limit, cursor } }) {
      const after = cursor === undefined ? undefined : readCursor(cursor)
      // In this order: whoever is told leaves the outbox in the commit that says how.
      const owed = await orStoreAway(chatOutbox.owed([messageId]))
      const withheld = await orStoreAway(chatOutbox.withheldOf(messageId))
      const { pushes, next } = await answered(pushSearch.search({ messageId }, limit, after))
      return {
        data: {
          pending: owed.has(messageId),
          pushes: pushes.map(describePush),
          ...(next && { next_cursor: toCursor(next) }),
          withheld: withheld.map(describeWithheld),
        },
      }
    },
  }),
]

const sentences: Readonly<Record<string, string>> = SKIP_REASONS

const describeWithheld = (push: WithheldPush): z.output<typeof WithheldAnswer> => ({
  extension_id: push.extensionId,
  ...(push.extension !== undefined && { extension: push.extension }),
  ...(push.deviceId !== undefined && { device_id: push.deviceId }),
  reason: push.reason,
  ...(sentences[push.reason] !== undefined && { detail: sentences[push.reason] }),
  at: push.at.toISOString(),
})
