import { z } from 'zod'
import { Problem } from '../lib/problem.ts'
import { NOTIFY_MODES } from './chat.ts'
import { extensionNumber, extensionNumbers, limit, time, title, uuid } from './chat-fields.ts'
import { ConversationAnswer } from './chat-schemas.ts'
import type { ConversationPlace } from './conversation-list-store.ts'

/** What is asked about conversations. */

const NO_CURSOR = 'cursor must be the next_cursor of an earlier answer'

export const ConversationQuery = z.object({
  limit: limit(20, 100),
  cursor: z.string(NO_CURSOR).max(200, NO_CURSOR).optional().describe('`next_cursor` of the page before.'),
})

export const ConversationsAnswer = z.object({
  items: z.array(ConversationAnswer),
  next_cursor: z.string().optional().describe('For the next page, if there is one.'),
})

export const OpenConversationBody = z
  .strictObject({
    extension: extensionNumber('extension').optional().describe('Whom to talk with alone.'),
    title: title().optional().describe('Of a group.'),
    extensions: extensionNumbers('extensions').optional(),
  })
  .transform(({ extension, title: groupTitle, extensions }, context) => {
    if (extension !== undefined && groupTitle === undefined && extensions === undefined) {
      return { kind: 'direct' as const, extension }
    }
    if (extension === undefined && groupTitle !== undefined && extensions !== undefined) {
      return { kind: 'group' as const, title: groupTitle, extensions }
    }
    context.addIssue({ code: 'custom', message: 'give either extension, or title and extensions' })
    return z.NEVER
  })
  .meta({ id: 'NewConversation' })

export const RenameBody = z.strictObject({ title: title() }).meta({ id: 'ConversationTitle' })

export const OwnSettingsBody = z
  .strictObject({
    notify: z
      .enum(NOTIFY_MODES, `notify must be one of ${NOTIFY_MODES.join(', ')}`)
      .optional()
      .describe('What of it is pushed.'),
    muted_until: time('muted_until').nullish(),
  })
  .meta({ id: 'ConversationSettings' })

export const ParticipantsBody = z
  .strictObject({ extensions: extensionNumbers('extensions') })
  .meta({ id: 'NewParticipants' })

export const ReadBody = z
  .strictObject({
    seq: z.int('seq must be the seq of a message').min(0, 'seq must be the seq of a message').optional(),
    message_id: uuid('message_id').optional(),
  })
  .transform(({ seq, message_id: messageId }, context) => {
    if (seq !== undefined && messageId === undefined) return { seq }
    if (messageId !== undefined && seq === undefined) return { messageId }
    context.addIssue({ code: 'custom', message: 'give either seq or message_id' })
    return z.NEVER
  })
  .meta({ id: 'ReadUpTo' })

export const ReadAnswer = z.object({ seq: z.int().describe('Everything up to it is read.') })

export const conversationParams = z.object({ id: uuid('id') })
export const participantParams = z.object({ id: uuid('id'), extension: extensionNumber('extension') })

const Place = z.tuple([z.int().min(0), z.uuid()])

export const toCursor = ({ activeAt, id }: ConversationPlace): string =>
  Buffer.from(JSON.stringify([activeAt, id])).toString('base64url')

export function readCursor(text: string): ConversationPlace {
  try {
    const [activeAt, id] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { activeAt, id }
  } catch (cause) {
    throw new Problem('invalid_request', { sentence: NO_CURSOR, field: 'cursor', cause })
  }
}
