import { z } from 'zod'
import type { CallHistoryStore, CallPlace } from '../devices/call-history-store.ts'
import type { AppCaller } from '../http/app-caller.ts'
import { APP_PROBLEMS } from '../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { describeCall, HistoryAnswer, HistoryQuery } from './history-schemas.ts'

export interface HistoryRouteDeps {
  appAuth: AuthScheme<AppCaller>
  callHistory: CallHistoryStore
}

/** The calls of who is logged in. */
export const historyRoutes = ({ appAuth, callHistory }: HistoryRouteDeps): Route[] => [
  route({
    method: 'get',
    path: '/api/v1/app/history',
    tag: 'App',
    summary: 'The calls of the extension, newest first',
    auth: appAuth,
    query: HistoryQuery,
    replies: [{ status: 200, description: 'A page of calls.', schema: HistoryAnswer }],
    problems: [...APP_PROBLEMS, 'invalid_request'],
    async handler({ query, caller }) {
      const { limit, offset, since, cursor } = query
      if (cursor !== undefined && offset > 0) {
        const sentence = 'give a cursor or an offset, not both'
        throw new Problem('invalid_request', { sentence, field: 'offset' })
      }
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const { calls, total, hasMore } = await orStoreAway(
        callHistory.page(caller.tenantId, caller.extension, { limit, offset, since, after }),
      )
      const last = calls.at(-1)
      return {
        data: {
          items: calls.map(describeCall),
          total,
          limit,
          offset,
          ...(hasMore && last && { next_cursor: toCursor(last) }),
        },
      }
    },
  }),
]

const Place = z.tuple([
  z.int().min(0).max(8.64e15), // what a Date can tell
  z.int().min(0),
])

const toCursor = ({ startTime, id }: CallPlace): string =>
  Buffer.from(JSON.stringify([startTime, id])).toString('base64url')

function readCursor(text: string): CallPlace {
  try {
    const [startTime, id] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { startTime, id }
  } catch (cause) {
    const sentence = 'cursor must be the next_cursor of an earlier answer'
    throw new Problem('invalid_request', { sentence, field: 'cursor', cause })
  }
}
