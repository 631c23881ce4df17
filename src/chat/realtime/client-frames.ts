import { z } from 'zod'
import { clientId, content, extensionNumber, messageKind } from '../chat-fields.ts'

/** What a client may say, as docs/chat.md has it. */

const conversationId = z.uuid()
const messageId = z.uuid()
/** Of users: more are not to be seen at once. */
const MOST_WATCHED = 200
const MOST_MENTIONS = 500

const FIELDS = {
  hello: z.object({ since: z.string().max(200).nullish() }),
  'message.send': z.object({
    conversationId,
    clientId: clientId('clientId'),
    content,
    kind: messageKind.default('text'),
    replyTo: z.uuid().nullish(),
    mentions: z.array(extensionNumber('mentions')).max(MOST_MENTIONS).nullish(),
  }),
  'message.delivered': z.object({ messageId }),
  'message.read': z.object({ messageId }),
  ack: z.object({ seq: z.int().nonnegative() }),
  typing: z.object({ conversationId, isTyping: z.boolean().default(true) }),
  'presence.subscribe': z.object({ userIds: z.array(z.uuid()).max(MOST_WATCHED) }),
  'app.state': z.object({ state: z.enum(['foreground', 'background']) }),
  auth: z.object({ token: z.string().min(1).max(8_192) }),
  ping: z.object({}),
} as const

export type ClientFrameType = keyof typeof FIELDS
export type ClientFields<Type extends ClientFrameType> = z.output<(typeof FIELDS)[Type]>

/** What came in: something that we know, or what is wrong with it. `id` is the client's own. */
export type ClientFrame =
  | { [Type in ClientFrameType]: { type: Type; id?: FrameId; fields: ClientFields<Type> } }[ClientFrameType]
  | { type: undefined; id?: FrameId; code: string; error: string }
export type FrameId = string | number

export function readClientFrame(data: string): ClientFrame {
  const said = parse(data)
  if (typeof said !== 'object' || said === null || Array.isArray(said)) {
    return { type: undefined, code: 'malformed_json', error: 'a frame must be one JSON object' }
  }
  const { type, id: givenId, payload, ...beside } = said as Record<string, unknown>
  const id = isFrameId(givenId) ? { id: givenId } : {}
  if (typeof type !== 'string' || !Object.hasOwn(FIELDS, type)) {
    return { type: undefined, ...id, code: 'unknown_type', error: 'there is no such type of frame' }
  }
  const known = type as ClientFrameType
  const inPayload = typeof payload === 'object' && payload !== null ? payload : {}
  const { success, data: fields, error: fault } = FIELDS[known].safeParse({ ...beside, ...inPayload })
  if (success) return { type: known, ...id, fields } as ClientFrame
  const [issue] = fault.issues
  const field = issue?.path.join('.') ?? ''
  const sentence = issue?.message ?? 'is wrong'
  // Ours name their field themselves.
  const error = sentence.startsWith(field) ? sentence : `${field}: ${sentence}`
  return { type: undefined, ...id, code: 'invalid_request', error }
}

/** Long enough for a UUID, and for whatever else somebody counts with. */
const isFrameId = (id: unknown): id is FrameId =>
  typeof id === 'number' || (typeof id === 'string' && id.length <= 64)

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
