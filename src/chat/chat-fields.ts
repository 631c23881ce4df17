import { z } from 'zod'
import { MAX_CONTENT, MAX_PARTICIPANTS } from './chat.ts'

/** Parts of requests that several routes of chat take. */

/** As people count them, not as UTF-16 does. */
const lengthOf = (text: string): number => [...text].length
/** PostgreSQL stores no NUL, and half a character is no text. */
const isPlain = (text: string): boolean => !text.includes('\0') && text.isWellFormed()

const text = (field: string, most: number) =>
  z
    .string({
      error: ({ input }) => (input === undefined ? `${field} is required` : `${field} must be text`),
    })
    .min(1, `${field} must not be empty`)
    .refine((value) => lengthOf(value) <= most, `${field} must be at most ${most} characters`)
    .refine(isPlain, `${field} must be plain text`)

export const title = (field = 'title') => text(field, 200)
export const content = text('content', MAX_CONTENT)
export const extensionNumber = (field: string) => text(field, 64)
/** More than a conversation may have, so that one too many is told as that. */
export const extensionNumbers = (field: string) =>
  z
    .array(extensionNumber(field), `${field} must be a list of extension numbers`)
    .min(1, `${field} must not be empty`)
    .max(2 * MAX_PARTICIPANTS, `${field} must be at most ${2 * MAX_PARTICIPANTS} extension numbers`)
    .describe('Numbers of extensions.')

export const clientId = (field: string) =>
  z
    .string(`${field} is required`)
    .regex(/^[\x21-\x7e]{1,64}$/, `${field} must be 1 to 64 visible ASCII characters`)
    .describe('The sender’s own: the same message twice is one.')

export const messageKind = z
  .string('kind must be text')
  .regex(/^[\w.-]{1,32}$/, 'kind must be a word of at most 32 letters, digits, dots or dashes')
  .describe('`text`, or a word that the apps agree on; it is not shown in a push then.')

export const uuid = (field: string) => z.uuid(`${field} must be a UUID`)

export const time = (field: string) =>
  z.iso
    .datetime({ offset: true, error: `${field} must be a time like 2026-11-21T10:00:00Z (RFC 3339)` })
    .transform((value) => new Date(value))

/** Of a query: an empty one counts as absent, one beyond the most as the most. */
export const limit = (absent: number, most: number) =>
  z
    .string('limit must be a positive integer')
    .regex(/^\d*$/, 'limit must be a positive integer')
    .transform((value) => (value === '' ? absent : Number(value)))
    .refine((value) => value >= 1, 'limit must be a positive integer')
    .transform((value) => Math.min(value, most))
    .default(absent)
    .describe(`At most ${most}; more counts as ${most}.`)

/** The place of a message, in a query. */
export const place = (field: string) =>
  z
    .string(`${field} must be the seq of a message`)
    .regex(/^\d{1,15}$/, `${field} must be the seq of a message`)
    .transform(Number)
