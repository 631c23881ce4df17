import { createHash } from 'node:crypto'

const PHONES = 1_000

/** The same in every process: phones of the messages that are sent. */
export const messageTokens = (): string[] =>
  Array.from(
    { length: PHONES },
    (_, i) => `bench-${i}:APA91b${createHash('sha512').update(`phone ${i}`).digest('base64url')}`,
  )
