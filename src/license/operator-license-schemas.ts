import { z } from 'zod'
import { DAY } from '../lib/units.ts'
import { FILE_LIFE } from './license-file.ts'
import { LICENSE_STATES } from './license-views.ts'
import { OVERLAP_DAYS } from './manage-licenses.ts'
import { parseTime, TIME_HINT } from './parse-time.ts'
import { ENTITLEMENTS, TIER_NAMES } from './tiers.ts'

/** What an operator may ask of licences. */
const whole = (name: string, min: number, max: number) => {
  const sentence = `${name} must be a whole number from ${min} to ${max}`
  return z.int(sentence).min(min, sentence).max(max, sentence)
}
/** Letters of any script, but nothing that moves the cursor of whoever reads it. */
const line = (name: string, max: number) =>
  z
    .string(`${name} must be a text`)
    .trim()
    .min(1, `${name} must not be empty`)
    .max(max, `${name} must have at most ${max} characters`)
    .regex(/^\P{Cc}*$/u, `${name} must be one line without control characters`)
const time = (name: string) =>
  z.string(`${name} must be ${TIME_HINT}`).transform((text, context) => {
    const parsed = parseTime(text)
    if (parsed !== undefined) return parsed
    context.addIssue({ code: 'custom', message: `${name} must be ${TIME_HINT}` })
    return z.NEVER
  })

const Entitlements = z
  .array(z.enum(ENTITLEMENTS, `entitlements must be some of ${ENTITLEMENTS.join(', ')}`))
  .max(50)
  .transform((wanted) => ENTITLEMENTS.filter((each) => wanted.includes(each)))
  .describe(`Some of ${ENTITLEMENTS.map((each) => `\`${each}\``).join(', ')}.`)

/** The largest number of the column. */
const MAX_PUSHES = 2_147_483_647
export const Limits = {
  max_extensions: whole('max_extensions', 1, 1_000_000),
  max_installations: whole('max_installations', 1, 100_000)
    .nullable()
    .describe('Machines at the same time; null: any number.'),
  entitlements: Entitlements,
  calls_per_day: whole('calls_per_day', 0, MAX_PUSHES),
  messages_per_day: whole('messages_per_day', 0, MAX_PUSHES),
  notes: z
    .string('notes must be a text')
    .max(4_000, 'notes must have at most 4000 characters')
    .regex(/^[\n\t\P{Cc}]*$/u, 'notes must not have control characters but new lines and tabs')
    .describe('For operators only.'),
  tenant_name: line('tenant_name', 200),
  hostname: line('hostname', 255).regex(/^\S+$/, 'hostname must not have spaces'),
  fingerprint: z
    .string('fingerprint must be a text')
    .regex(/^[A-Za-z0-9._:-]{8,256}$/, 'fingerprint must be 8 to 256 of A-Z, a-z, 0-9, dot, _, : and -'),
  reason: line('reason', 500),
  days: whole('days', 1, 36_500),
  months: whole('months', 1, 1_200),
  file_days: whole('days', 1, FILE_LIFE.maxMs / DAY),
  overlap_days: whole('overlap_days', 0, OVERLAP_DAYS.max),
}

export const TIERS_AND_CUSTOM = [...TIER_NAMES, 'custom'] as const
export const NewLicenseBody = z
  .strictObject({
    tenant_id: z.uuid('tenant_id must be a UUID').optional().describe('Of a tenant there is.'),
    tenant_name: Limits.tenant_name.optional().describe('Of a tenant that is made with the licence.'),
    pbx_key: z
      .boolean('pbx_key must be true or false')
      .optional()
      .describe('Also a PBX key, for a new tenant.'),
    tier: z.enum(TIERS_AND_CUSTOM, `tier must be one of ${TIERS_AND_CUSTOM.join(', ')}`),
    max_extensions: Limits.max_extensions.optional(),
    max_installations: Limits.max_installations.optional(),
    entitlements: Limits.entitlements.optional(),
    calls_per_day: Limits.calls_per_day.optional(),
    messages_per_day: Limits.messages_per_day.optional(),
    expires_at: time('expires_at').optional().describe('Absent: never.'),
    notes: Limits.notes.optional(),
  })
  .superRefine((body, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message })
    if ((body.tenant_id === undefined) === (body.tenant_name === undefined))
      refuse('tenant_id', 'give either tenant_id or tenant_name')
    else if (body.pbx_key && body.tenant_id !== undefined)
      refuse('pbx_key', 'pbx_key is for a new tenant: one that exists has its own')
    if (body.tier !== 'custom') return
    if (body.max_extensions === undefined) refuse('max_extensions', 'a custom licence needs max_extensions')
    if (body.entitlements === undefined) refuse('entitlements', 'a custom licence needs entitlements')
  })
  .meta({ id: 'NewLicense' })

export const LicenseChangeBody = z
  .strictObject({
    tier: z
      .enum(TIER_NAMES, `tier must be one of ${TIER_NAMES.join(', ')}`)
      .optional()
      .describe('Copies the terms of the tier; what else is given goes on top of them.'),
    max_extensions: Limits.max_extensions.optional(),
    max_installations: Limits.max_installations.optional(),
    entitlements: Limits.entitlements.optional(),
    calls_per_day: Limits.calls_per_day.nullable().optional().describe('null: as its size gives.'),
    messages_per_day: Limits.messages_per_day.nullable().optional().describe('null: as its size gives.'),
    expires_at: time('expires_at').nullable().optional().describe('null: never.'),
    notes: Limits.notes.optional(),
  })
  .meta({ id: 'LicenseChange' })

export const RenewalBody = z
  .strictObject({
    until: time('until').optional(),
    days: Limits.days.optional().describe('From the end, or from now if that is over.'),
    months: Limits.months.optional().describe('The same day of a later month.'),
    never: z.literal(true, 'never must be true').optional().describe('It ends no more.'),
  })
  .refine((body) => Object.values(body).filter((value) => value !== undefined).length === 1, {
    message: 'give one of until, days, months and never',
    path: ['until'],
  })
  .meta({ id: 'LicenseRenewal' })

export const ReasonBody = z
  .strictObject({ reason: Limits.reason.describe('For the audit; the owner is not told.') })
  .meta({ id: 'LicenseReason' })
const Confirm = z
  .string('confirm must be the first letters of the newest key of the licence')
  .describe('The first letters of the newest key, like `WL-7XK2MA`, because this cannot be undone.')
export const RevocationBody = ReasonBody.extend({ confirm: Confirm }).meta({ id: 'LicenseRevocation' })
export const EmptyBody = z.strictObject({}).meta({ id: 'Empty' })
export const RotationBody = z
  .strictObject({
    overlap_days: Limits.overlap_days
      .default(OVERLAP_DAYS.default)
      .describe('How long the keys there are go on working; 0: they end at once.'),
  })
  .meta({ id: 'LicenseRotation' })
export const ConfirmedRotationBody = RotationBody.extend({
  confirm: Confirm.optional().describe(
    'Needed when the keys end at once: the first letters of the newest one.',
  ),
}).meta({ id: 'ConfirmedLicenseRotation' })
export const SeatTransferBody = z
  .strictObject({
    from: z.uuid('from must be a UUID').describe('The `instance_id` whose seat it is.'),
    hostname: Limits.hostname,
    fingerprint: Limits.fingerprint.optional(),
  })
  .meta({ id: 'SeatTransfer' })
export const ConfirmedTransferBody = SeatTransferBody.extend({ confirm: Confirm }).meta({
  id: 'ConfirmedSeatTransfer',
})
export const ExportBody = z
  .strictObject({
    fingerprint: Limits.fingerprint.optional().describe('The machine it is for; absent: any.'),
    days: Limits.file_days.default(FILE_LIFE.defaultMs / DAY),
  })
  .meta({ id: 'LicenseExport' })

export const STATES = [...LICENSE_STATES, 'expiring'] as const
const LIMIT = 'limit must be a whole number from 1 to 200'
const page = {
  limit: z.coerce.number(LIMIT).int(LIMIT).min(1, LIMIT).max(200, LIMIT).default(50),
  cursor: z
    .uuid('cursor must be the next_cursor of an earlier answer')
    .optional()
    .describe('The `next_cursor` of the page before, with the same filters.'),
}
export const LicenseQuery = z.strictObject({
  text: line('text', 200)
    // URLs stand in the logs of every proxy on the way.
    .refine(
      (text) => !/WL-?(?:[0-9A-Z]{6}-?){5}/i.test(text),
      'text must not be a whole key: its first group does',
    )
    .optional()
    .describe('Part of the tenant’s name, of a key’s prefix or of the notes.'),
  tier: line('tier', 64).optional(),
  state: z
    .enum(STATES, `state must be one of ${STATES.join(', ')}`)
    .optional()
    .describe('`expiring`: in force, and ends within 30 days.'),
  tenant_id: z.uuid('tenant_id must be a UUID').optional(),
  ...page,
})
export const EventQuery = z.strictObject(page)
export const LicenseParams = z.object({ id: z.uuid('id must be a UUID') })
export const SeatParams = LicenseParams.extend({ instance_id: z.uuid('instance_id must be a UUID') })
