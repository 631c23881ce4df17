import { z } from 'zod'
import { limit } from './chat-fields.ts'
import { ConversationAnswer, describeConversation, describeEvents, EventAnswer } from './chat-schemas.ts'
import type { SyncAnswer as Answer } from './sync.ts'

/** Proxies cut a request that is silent for longer, and a socket that nobody uses costs something. */
const MAX_WAIT_SECONDS = 25
const WAIT = `wait must be seconds, from 0 to ${MAX_WAIT_SECONDS}`
const SINCE = 'since must be a cursor of an earlier answer'

export const sinceCursor = z.string(SINCE).min(1, SINCE).max(200, SINCE)
export const eventLimit = limit(200, 500)

export const SyncQuery = z.object({
  since: sinceCursor
    .optional()
    .describe('`next` of the answer before: one has all that is before it. Without it: begin anew.'),
  limit: eventLimit,
  wait: z
    .string(WAIT)
    .regex(/^\d{1,2}$/, WAIT)
    .transform(Number)
    .refine((seconds) => seconds <= MAX_WAIT_SECONDS, WAIT)
    .default(0)
    .describe('Seconds to wait for an event, if there is none.'),
})

export const SyncAnswer = z.object({
  events: z.array(EventAnswer),
  next: z.string().describe('For `since`.'),
  more: z.boolean(),
  badge: z.int().describe('Unread messages and voicemail together.'),
  reset: z.literal(true).optional().describe('Begin anew, with `conversations`.'),
  conversations: z.array(ConversationAnswer).optional().describe('The newest; the list has the others.'),
})

export const describeSync = (
  tenantId: string,
  { events, next, more, badge, conversations }: Answer,
): z.output<typeof SyncAnswer> => ({
  ...{ events: describeEvents(tenantId, events), next, more, badge },
  ...(conversations && {
    reset: true,
    conversations: conversations.map((view) => describeConversation(tenantId, view)),
  }),
})
