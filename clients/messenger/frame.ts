import { type Fields, isFields, parse } from './json.ts'
import { type Message, messageFrom } from './types.ts'

/** What came over a WebSocket. */
export interface Frame {
  readonly type: string
  readonly fields: Fields
}

/** Fields may stand beside the type or within a payload: which one, only the service knows. */
export function frameFrom(text: string): Frame | null {
  const value = parse(text)
  if (!isFields(value) || typeof value.type !== 'string') return null
  return { type: value.type, fields: isFields(value.payload) ? value.payload : value }
}

export function messageIn(frame: Frame): Message | null {
  if (frame.type !== 'message.created') return null
  try {
    return messageFrom(isFields(frame.fields.message) ? frame.fields.message : frame.fields)
  } catch {
    // Of a shape that this client does not know: no reason to end the connection, the next sync brings it.
    return null
  }
}
