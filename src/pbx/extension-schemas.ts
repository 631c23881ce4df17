import { z } from 'zod'
import { type Extension, FOLLOW_ME_STRATEGIES } from '../devices/extension.ts'
import { oneOrMany, Refusal } from './judged-items.ts'
import { ExtensionNumber, text } from './pbx-schemas.ts'

export const MAX_EXTENSIONS = 500

/** So short that guessing takes a while, so long that nobody hashes novels. */
export const MIN_PASSWORD = 8
export const MAX_PASSWORD = 256
export const Password = text(MAX_PASSWORD, `password must have at most ${MAX_PASSWORD} characters`).min(
  MIN_PASSWORD,
  `password must have at least ${MIN_PASSWORD} characters`,
)

/** No caller waits longer. */
const MAX_SECONDS = 300
/** What FlowPBX gives a number of which it knows no more. */
const RINGS_SECONDS = 20
const FollowMeDestination = z
  .strictObject({
    number: text(128).min(1),
    delay: z.int().min(0).max(MAX_SECONDS).default(0).describe('Seconds before it rings.'),
    timeout: z.int().min(1).max(MAX_SECONDS).default(RINGS_SECONDS).describe('Seconds that it rings.'),
  })
  .meta({ id: 'FollowMeDestination' })

const changes = {
  name: text(200).optional(),
  // RFC 5321 section 4.5.3.1.3, without the angle brackets.
  email: text(254)
    .refine((value) => value === '' || z.email().safeParse(value).success, {
      error: 'email must be an address like ada@example.com',
    })
    .optional(),
  dnd: z.boolean().optional().describe('Do not disturb: calls are not pushed.'),
  password: Password.optional().describe(
    'Of SIP and of the app’s login; kept as a hash only. A new one ends all sessions of the app.',
  ),
  follow_me_enabled: z.boolean().optional(),
  follow_me_confirm: z.boolean().optional(),
  follow_me_strategy: z.enum(FOLLOW_ME_STRATEGIES).optional(),
  follow_me_destinations: z.array(FollowMeDestination).max(20).optional(),
}
export const ExtensionBody = z.strictObject(changes).meta({ id: 'ExtensionChange' })
export const ExtensionItem = z
  .strictObject({ number: ExtensionNumber, ...changes })
  .meta({ id: 'ExtensionItem' })
export const ExtensionsBody = oneOrMany(MAX_EXTENSIONS, 'an extension')

export const ExtensionsAnswer = z
  .object({
    results: z
      .array(
        z.object({
          number: z.string().optional(),
          status: z.enum(['created', 'updated', 'unchanged', 'refused']),
          id: z.int().optional(),
          ...Refusal,
        }),
      )
      .describe('In the order of the request.'),
  })
  .meta({ id: 'ExtensionsAnswer' })

export const ExtensionAnswer = z
  .object({
    id: z.int(),
    number: z.string(),
    name: z.string(),
    email: z.string(),
    dnd: z.boolean(),
    follow_me_enabled: z.boolean(),
    follow_me_confirm: z.boolean(),
    follow_me_strategy: z.enum(FOLLOW_ME_STRATEGIES),
    follow_me_destinations: z.array(FollowMeDestination),
    has_password: z.boolean().describe('Without one nobody can log in with the app.'),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: 'Extension' })

export const describeExtension = (extension: Extension): z.input<typeof ExtensionAnswer> => ({
  id: extension.id,
  number: extension.number,
  name: extension.name,
  email: extension.email,
  dnd: extension.dnd,
  follow_me_enabled: extension.followMeEnabled,
  follow_me_confirm: extension.followMeConfirm,
  follow_me_strategy: extension.followMeStrategy,
  follow_me_destinations: [...extension.followMeDestinations],
  has_password: extension.hasPassword,
  created_at: extension.createdAt.toISOString(),
  updated_at: extension.updatedAt.toISOString(),
})

const CURSOR = 'cursor must be the next_cursor of an earlier answer'
export const ExtensionQuery = z.object({
  limit: z
    .string('limit must be from 1 to 500')
    .regex(/^\d{1,3}$/, 'limit must be from 1 to 500')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_EXTENSIONS, 'limit must be from 1 to 500')
    .default(100),
  cursor: z
    .string(CURSOR)
    .regex(/^[\w-]{1,512}$/, CURSOR)
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString())
    .refine((number) => !number.includes('\0'), CURSOR)
    .optional(),
})
export const toCursor = (number: string): string => Buffer.from(number).toString('base64url')
