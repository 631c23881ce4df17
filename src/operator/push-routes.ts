import { z } from 'zod'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import type { PushLogStore } from '../push/push-log-store.ts'
import type { PushFilter, PushSearchStore } from '../push/push-search-store.ts'
import type { Operator } from './operator-store.ts'
import { answered, readCursor, toCursor } from './push-pages.ts'
import { describeAttempt, describePush, FailedAttempt, LoggedPush, PushQuery } from './push-schemas.ts'

export interface PushRouteDeps {
  operatorAuth: AuthScheme<Operator>
  pushSearch: PushSearchStore
  pushLogStore: Pick<PushLogStore, 'attemptsOf'>
}

const tag = 'Operation'
const problems = ['unauthorized', 'store_unavailable'] as const

/** The push log for operators of any role: nothing in it is secret, and nothing is changed. */
export const pushRoutes = (deps: PushRouteDeps): Route[] => [searchPushes(deps), readPush(deps)]

const searchPushes = ({ operatorAuth, pushSearch }: PushRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/operator/pushes',
    tag,
    summary: 'Search the push log',
    description:
      'Newest first, over all tenants. All filters that are given must hold. A search that takes longer than 3 s is refused as `search_too_long`: narrow it with `from` and `to`.',
    auth: operatorAuth,
    query: PushQuery,
    replies: [
      {
        status: 200,
        description: 'A page of pushes.',
        schema: z.object({
          pushes: z.array(LoggedPush),
          next_cursor: z.string().optional().describe('For the next page, if there is one.'),
        }),
      },
    ],
    problems,
    async handler({ query }) {
      const { limit, cursor } = query
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const { pushes, next } = await answered(pushSearch.search(toFilter(query), limit, after))
      return { data: { pushes: pushes.map(describePush), ...(next && { next_cursor: toCursor(next) }) } }
    },
  })

const readPush = ({ operatorAuth, pushSearch, pushLogStore }: PushRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/operator/pushes/{id}',
    tag,
    summary: 'A push with every try that was not accepted',
    auth: operatorAuth,
    params: z.object({ id: z.uuid('id must be a UUID') }),
    replies: [
      {
        status: 200,
        description: 'The push as the log knows it.',
        schema: z.object({ push: LoggedPush, failed_attempts: z.array(FailedAttempt) }),
      },
    ],
    problems: [...problems, 'unknown_push'],
    async handler({ params }) {
      const push = await answered(pushSearch.find(params.id))
      if (!push) throw new Problem('unknown_push')
      const attempts = await answered(pushLogStore.attemptsOf(push))
      return { data: { push: describePush(push), failed_attempts: attempts.map(describeAttempt) } }
    },
  })

function toFilter(query: z.output<typeof PushQuery>): PushFilter {
  return {
    ...(query.call_id !== undefined && { callId: query.call_id }),
    ...(query.message_id !== undefined && { messageId: query.message_id }),
    ...(query.extension !== undefined && { extension: query.extension }),
    ...(query.token_hash !== undefined && { tokenHash: query.token_hash }),
    ...(query.license_id !== undefined && { licenseId: query.license_id }),
    ...(query.tenant_id !== undefined && { tenantId: query.tenant_id }),
    ...(query.state !== undefined && { state: query.state }),
    ...(query.kind !== undefined && { kind: query.kind }),
    ...(query.from !== undefined && { from: Date.parse(query.from) }),
    ...(query.to !== undefined && { to: Date.parse(query.to) }),
  }
}
