import { z } from 'zod'
import type { AppTokenHolder } from '../../http/app-caller.ts'
import { APP_PROBLEMS } from '../../http/app-problems.ts'
import { type AuthScheme, type Route, route } from '../../http/route.ts'
import type { Tickets } from './tickets.ts'

/** How a client gets to `/ws` that cannot set a header. */
export const ticketRoutes = ({
  appAuth,
  tickets,
}: {
  appAuth: AuthScheme<AppTokenHolder>
  tickets: Tickets
}): Route[] => [
  route({
    method: 'post',
    path: '/api/v1/app/realtime/ticket',
    tag: 'Chat',
    summary: 'Get a ticket for the WebSocket',
    description:
      'Good once, for a minute, as `Sec-WebSocket-Protocol: ticket, <ticket>` of `GET /ws`, which takes `Authorization: Bearer …` or `Sec-WebSocket-Protocol: bearer, <token>` as well.',
    auth: appAuth,
    replies: [
      {
        status: 200,
        description: 'The ticket.',
        schema: z.object({ ticket: z.string(), expires_at: z.string() }),
      },
    ],
    problems: [...APP_PROBLEMS, 'queue_unavailable'],
    async handler({ caller }) {
      const { ticket, expiresAt } = await tickets.make(caller)
      return { data: { ticket, expires_at: expiresAt.toISOString() } }
    },
  }),
]
