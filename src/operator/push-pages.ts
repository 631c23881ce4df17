import { z } from 'zod'
import { Problem } from '../lib/problem.ts'
import { type PushPlace, SearchTooLong } from '../push/push-search-store.ts'

/** Pages of the push log: what can go wrong with a search, and where one ends. */

export async function answered<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (cause) {
    if (!(cause instanceof SearchTooLong)) throw new Problem('store_unavailable', { retryAfter: 1, cause })
    throw new Problem('invalid_request', { sentence: cause.message, code: 'search_too_long', cause })
  }
}

const Place = z.tuple([
  z
    .int()
    .min(0)
    .max(8.64e15 - 1), // a Date can still tell the moment after it
  z.uuid(),
])

export const toCursor = ({ acceptedAt, id }: PushPlace): string =>
  Buffer.from(JSON.stringify([acceptedAt, id])).toString('base64url')

export function readCursor(text: string): PushPlace {
  try {
    const [acceptedAt, id] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { acceptedAt, id }
  } catch (cause) {
    const sentence = 'cursor must be the next_cursor of an earlier answer'
    throw new Problem('invalid_request', { sentence, field: 'cursor', cause })
  }
}
