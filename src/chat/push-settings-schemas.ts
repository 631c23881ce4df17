import { z } from 'zod'
import { time } from './chat-fields.ts'
import { PREVIEWS, PUSH_WHENS, type PushSettings } from './push-settings.ts'
import type { PushSettingsChange } from './push-settings-store.ts'

/** What somebody wants his phones to be told, as he says it and as he is answered. */

const ESCALATIONS = [0, 30, 120] as const
/** One for each day of the week, twice. */
const MOST_QUIET_HOURS = 14

/** In the spelling of the IANA, whatever the case in which it came; a mere offset is no zone, because it knows no summer. */
const timeZone = z
  .string('time_zone must be text')
  .max(64, 'time_zone must be a time zone of the IANA, such as Europe/Berlin')
  .transform((name, context) => {
    const known = /^[a-z]/i.test(name) ? spellingOf(name) : undefined
    if (known !== undefined) return known
    context.addIssue({
      code: 'custom',
      message: 'time_zone must be a time zone of the IANA, such as Europe/Berlin',
    })
    return z.NEVER
  })

function spellingOf(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined // no zone that anybody knows: the caller says so
  }
}

const timeOfDay = (field: string) =>
  z
    .string(`${field} must be a time of day such as 22:00`)
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, `${field} must be a time of day such as 22:00`)
const DAY = 'days must be from 1 (Monday) to 7'

export const PushSettingsBody = z
  .strictObject({
    preview: z.enum(PREVIEWS, `preview must be one of ${PREVIEWS.join(', ')}`).optional(),
    push_when: z.enum(PUSH_WHENS, `push_when must be one of ${PUSH_WHENS.join(', ')}`).optional(),
    escalate_after: z
      .literal(ESCALATIONS, `escalate_after must be one of ${ESCALATIONS.join(', ')}`)
      .optional()
      .describe('Seconds.'),
    dnd_until: time('dnd_until').nullish(),
    dnd_schedule: z
      .array(
        z.strictObject({
          days: z
            .array(z.int(DAY).min(1, DAY).max(7, DAY), DAY)
            .min(1, 'days must not be empty')
            .max(7, DAY)
            .refine((days) => new Set(days).size === days.length, 'days must not repeat'),
          from: timeOfDay('from'),
          to: timeOfDay('to'),
        }),
        'dnd_schedule must be a list',
      )
      .max(MOST_QUIET_HOURS, `dnd_schedule must be at most ${MOST_QUIET_HOURS} entries`)
      .optional()
      .describe('In `time_zone`; from 22:00 to 07:00 ends on the day after.'),
    time_zone: timeZone.optional().describe('Of the IANA.'),
  })
  .meta({ id: 'ChatPushSettingsChange' })

export const toChange = (body: z.output<typeof PushSettingsBody>): PushSettingsChange => ({
  preview: body.preview,
  pushWhen: body.push_when,
  escalateAfterSeconds: body.escalate_after,
  dndUntil: body.dnd_until,
  dndSchedule: body.dnd_schedule,
  timeZone: body.time_zone,
})

export const PushSettingsAnswer = z
  .object({
    preview: z.enum(PREVIEWS),
    push_when: z.enum(PUSH_WHENS),
    escalate_after: z.int(),
    dnd_until: z.string().nullable(),
    dnd_schedule: z.array(z.object({ days: z.array(z.int()), from: z.string(), to: z.string() })),
    time_zone: z.string(),
  })
  .meta({ id: 'ChatPushSettings' })

export const describePushSettings = (settings: PushSettings): z.output<typeof PushSettingsAnswer> => ({
  preview: settings.preview,
  push_when: settings.pushWhen,
  escalate_after: settings.escalateAfterSeconds,
  dnd_until: settings.dndUntil?.toISOString() ?? null,
  dnd_schedule: settings.dndSchedule.map(({ days, from, to }) => ({ days: [...days], from, to })),
  time_zone: settings.timeZone,
})
