import { z } from 'zod'
import { MAX_PARTICIPANTS, userIdOf } from './chat.ts'
import { clientId, content, extensionNumber, limit, messageKind, place, uuid } from './chat-fields.ts'
import { MessageAnswer } from './chat-schemas.ts'
import type { Receipts } from './message-store.ts'

/** What is asked about messages, and how others got them. */

export const MessageQuery = z.object({
  limit: limit(50, 200),
  before: place('before').optional().describe('Only messages with a lower `seq`.'),
  after: place('after').optional().describe('Only messages with a higher one; alone, the oldest of these.'),
})

export const MessagesAnswer = z.object({
  items: z.array(MessageAnswer).describe('The newest first.'),
  has_more: z.boolean().describe('There are more in the direction that was asked for.'),
})

export const MessageBody = z
  .strictObject({
    client_id: clientId('client_id'),
    content,
    kind: messageKind.default('text'),
    reply_to: uuid('reply_to').nullish().describe('A message of the conversation.'),
    mentions: z
      .array(extensionNumber('mentions'), 'mentions must be a list of extension numbers')
      .max(MAX_PARTICIPANTS, `mentions must be at most ${MAX_PARTICIPANTS} extension numbers`)
      .optional()
      .describe('Who is not in the conversation is left out.'),
  })
  .meta({ id: 'NewChatMessage' })

/** 8,000 characters may be 12 bytes each, the way some clients write JSON. */
export const MESSAGE_BYTES = '128kb'

export const EditBody = z.strictObject({ content }).meta({ id: 'ChatMessageEdit' })

export const messageParams = z.object({ id: uuid('id') })

export const ReceiptsAnswer = z.object({
  items: z.array(
    z
      .object({
        id: z.int(),
        user_id: z.uuid(),
        extension: z.string(),
        name: z.string(),
        delivered_at: z.string().nullable().describe('When the first of their phones had it.'),
        read_at: z.string().nullable(),
      })
      .meta({ id: 'ChatReceipt' }),
  ),
})

export const describeReceipts = (
  tenantId: string,
  receipts: readonly Receipts[],
): z.output<typeof ReceiptsAnswer> => ({
  items: receipts.map(({ extensionId, number, name, deliveredAt, readAt }) => ({
    ...{ id: extensionId, user_id: userIdOf(tenantId, extensionId), extension: number, name },
    delivered_at: deliveredAt?.toISOString() ?? null,
    read_at: readAt?.toISOString() ?? null,
  })),
})
