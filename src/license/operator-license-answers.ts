import { z } from 'zod'
import { LICENSE_ACTIONS } from './license.ts'
import { LICENSE_STATES } from './license-views.ts'

/** What operators are told of licences; `license-views.ts` makes it. */
const time = z.string()

const License = z.object({
  id: z.uuid(),
  tenant_id: z.uuid(),
  state: z.enum(LICENSE_STATES),
  tier: z.string(),
  max_extensions: z.int(),
  max_installations: z.int().nullable().describe('null: any number.'),
  entitlements: z.array(z.string()),
  calls_per_day: z.int().nullable().describe('null: as its size gives.'),
  messages_per_day: z.int().nullable().describe('null: as its size gives.'),
  expires_at: time.nullable().describe('null: never.'),
  created_at: time,
  suspended_at: time.nullable(),
  revoked_at: time.nullable(),
})
export const OperatorLicense = License.meta({ id: 'OperatorLicense' })

const ListedLicense = License.extend({
  tenant_name: z.string(),
  key_prefixes: z.array(z.string()).describe('Of all its keys, the newest first.'),
  active_installations: z.int(),
  notes: z.string(),
}).meta({ id: 'ListedLicense' })

const Event = z
  .object({
    id: z.uuid(),
    at: time,
    action: z.enum(LICENSE_ACTIONS),
    actor: z.string().describe('`operator:<name>`, `shell`, `pbx` or `system`.'),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'LicenseEvent' })

const Seat = z
  .object({
    instance_id: z.uuid(),
    hostname: z.string(),
    fingerprint: z.string().nullable(),
    version: z.string(),
    activated_at: time,
    last_seen_at: time,
    deactivated_at: time.nullable(),
  })
  .meta({ id: 'LicenseSeat' })

const next_cursor = z.string().optional().describe('For the next page, if there is one.')

export const LicenseListAnswer = z.object({ licenses: z.array(ListedLicense), next_cursor })
export const EventListAnswer = z.object({ events: z.array(Event), next_cursor })
export const LicenseAnswer = z.object({
  license: ListedLicense,
  keys: z.array(
    z.object({
      prefix: z.string(),
      is_good: z.boolean(),
      created_at: time,
      expires_at: time.nullable().describe('Set when it has a successor.'),
    }),
  ),
  installations: z.array(Seat).describe('Those that hold a seat, the longest one first.'),
  usage_today: z
    .object({
      calls: z.int(),
      messages: z.int(),
      refused_calls: z.int(),
      refused_messages: z.int(),
    })
    .describe('Of this day in UTC; a few seconds late.'),
  events: z.array(Event).describe('The last 50, newest first.'),
})
export const CreatedLicenseAnswer = z.object({
  license: OperatorLicense,
  license_key: z.string().describe('Shown only here.'),
  pbx_key: z.string().optional().describe('Shown only here.'),
})
export const ChangedLicenseAnswer = z.object({
  license: OperatorLicense,
  changed: z.boolean().describe('False when it was so already: nothing was written.'),
})
export const RotatedKeyAnswer = z.object({
  license: OperatorLicense,
  license_key: z.string().describe('Shown only here.'),
  previous_keys_until: time.describe('Until then the keys before work as well.'),
})
export const SeatAnswer = z.object({ installation: Seat })
export const LicenseFileAnswer = z.object({ file: z.string(), expires_at: time })
