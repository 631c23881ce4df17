import { z } from 'zod'
import type { TokenRecordsStore } from '../devices/token-records-store.ts'
import { describeVerdict, type TokenVerdict } from '../devices/token-verdict.ts'
import type { VerdictPlace } from '../devices/token-verdict-store.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { TOKEN_KINDS } from '../push/push.ts'

export interface TokenRouteDeps {
  licenseAuth: AuthScheme<{ tenantId: string }>
  tokenRecords: TokenRecordsStore
}

/** What the owner of tokens is told of them. */
export const tokenRoutes = (deps: TokenRouteDeps): Route[] => [listInvalid(deps)]

const ENVIRONMENTS = ['production', 'sandbox'] as const

const LIMIT = 'limit must be a whole number from 1 to 500'
const Query = z.object({
  since: z.iso
    .datetime({ offset: true, error: 'since must be a time like 2026-11-21T10:00:00Z' })
    .optional()
    .describe('Only what was said at this time or later (RFC 3339).'),
  limit: z.coerce
    .number(LIMIT)
    .int(LIMIT)
    .min(1, LIMIT)
    .max(500, LIMIT)
    .default(100)
    .describe('From 1 to 500.'),
  cursor: z.string().max(500).optional().describe('The `next_cursor` of the page before.'),
})

const InvalidToken = z
  .object({
    token_sha256: z
      .string()
      .describe(
        'SHA-256 of the token in hex. A registered APNs token counts in lower case, all others as handed in.',
      ),
    platform: z.enum(['apns', 'fcm']),
    kind: z.enum(TOKEN_KINDS),
    environment: z.enum(ENVIRONMENTS),
    app_id: z.string(),
    state: z
      .enum(['quarantined', 'dead'])
      .describe(
        '`dead`: forget the token. `quarantined`: suspect, but still used; a wrong configuration looks the same.',
      ),
    reason: z.string().describe('The provider’s word, or `stale`: the phone was not seen for 270 days.'),
    detail: z.string(),
    device_id: z.uuid().optional().describe('Wakeline’s id of the device, if the token is registered.'),
    extension: z.string().optional(),
    first_at: z.string(),
    last_at: z.string(),
    times: z.int().describe('How often it was said from `first_at` to `last_at`.'),
  })
  .meta({ id: 'InvalidToken' })

const listInvalid = ({ licenseAuth, tokenRecords }: TokenRouteDeps): Route =>
  route({
    method: 'get',
    path: '/v1/tokens/invalid',
    tag: 'Gateway',
    summary: 'Push tokens that providers speak against',
    description:
      'The oldest change first. A token that is said to be bad once more comes again at the end; one that is registered again or takes a push disappears. Whoever asks again and again should let `since` overlap by some seconds. Entries are kept for 90 days.',
    auth: licenseAuth,
    query: Query,
    replies: [
      {
        status: 200,
        description: 'A page of tokens.',
        schema: z.object({
          tokens: z.array(InvalidToken),
          next_cursor: z.string().optional().describe('For the next page, if there is one.'),
        }),
      },
    ],
    problems: ['license_key_required', 'license_invalid', 'store_unavailable'],
    async handler({ query: { since, limit, cursor }, caller }) {
      const found = await tokenRecords.verdicts.list(caller.tenantId, {
        ...(since !== undefined && { since: new Date(since) }),
        ...(cursor !== undefined && { after: readCursor(cursor) }),
        limit: limit + 1,
      })
      const page = found.slice(0, limit)
      const last = found.length > limit ? page.at(-1) : undefined
      return { data: { tokens: page.map(describeVerdict), ...(last && { next_cursor: toCursor(last) }) } }
    },
  })

const Place = z.tuple([
  z.int().min(0).max(8.64e15), // the last moment that a Date can tell
  z.string().regex(/^[0-9a-f]{64}$/),
  z.enum(TOKEN_KINDS),
  z.enum(ENVIRONMENTS),
])

const toCursor = ({ lastAt, tokenSha256, kind, environment }: TokenVerdict): string =>
  Buffer.from(JSON.stringify([lastAt, tokenSha256, kind, environment])).toString('base64url')

function readCursor(text: string): VerdictPlace {
  const [lastAt, tokenSha256, kind, environment] = parsePlace(text)
  return { lastAt, tokenSha256, kind, environment }
}

function parsePlace(text: string): z.output<typeof Place> {
  try {
    return Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
  } catch (cause) {
    const sentence = 'cursor must be the next_cursor of an earlier answer'
    throw new Problem('invalid_request', { sentence, field: 'cursor', cause })
  }
}
