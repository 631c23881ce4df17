import { createHash } from 'node:crypto'

/** A phone is pushed 60 messages a minute at most. */
const PHONES = 5_000

/** The same in every process: phones of the messages that are sent. */
export const messageTokens = (): string[] =>
  Array.from(
    { length: PHONES },
    (_, i) => `bench-${i}:APA91b${createHash('sha512').update(`phone ${i}`).digest('base64url')}`,
  )
