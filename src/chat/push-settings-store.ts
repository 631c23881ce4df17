import type { Knex } from 'knex'
import type { Owned } from './conversation-store.ts'
import {
  DEFAULT_PUSH_SETTINGS,
  type Preview,
  type PushSettings,
  type PushWhen,
  type QuietHours,
} from './push-settings.ts'

/** What is undefined stays; null: not until then any more. */
export interface PushSettingsChange {
  preview?: Preview | undefined
  pushWhen?: PushWhen | undefined
  escalateAfterSeconds?: number | undefined
  dndUntil?: Date | null | undefined
  dndSchedule?: readonly QuietHours[] | undefined
  timeZone?: string | undefined
}

export function createPushSettingsStore(db: Knex) {
  return {
    async find({ extensionId }: Pick<Owned, 'extensionId'>): Promise<PushSettings> {
      const row = await db('user_push_settings')
        .first(...COLUMNS)
        .where({ extension_id: extensionId })
      return toPushSettings(row)
    },

    async change(
      { extensionId }: Pick<Owned, 'extensionId'>,
      change: PushSettingsChange,
    ): Promise<PushSettings> {
      const given = Object.fromEntries(
        Object.entries({
          preview: change.preview,
          push_when: change.pushWhen,
          escalate_after_seconds: change.escalateAfterSeconds,
          dnd_until: change.dndUntil,
          dnd_schedule: change.dndSchedule && JSON.stringify(change.dndSchedule),
          time_zone: change.timeZone,
        }).filter(([, value]) => value !== undefined),
      )
      const [row] = await db('user_push_settings')
        .insert({ extension_id: extensionId, ...given })
        .onConflict('extension_id')
        .merge({ extension_id: extensionId, ...given })
        .returning([...COLUMNS])
      return toPushSettings(row)
    },
  }
}
export type PushSettingsStore = ReturnType<typeof createPushSettingsStore>

export interface PushSettingsRow {
  preview: Preview | null
  push_when: PushWhen
  escalate_after_seconds: number
  dnd_until: Date | null
  dnd_schedule: QuietHours[]
  time_zone: string
}
const COLUMNS = [
  'preview',
  'push_when',
  'escalate_after_seconds',
  'dnd_until',
  'dnd_schedule',
  'time_zone',
] as const

/** Who never said anything has no row, or one of NULLs. */
export function toPushSettings(row: PushSettingsRow | undefined): PushSettings {
  if (!row || row.preview === null) return DEFAULT_PUSH_SETTINGS
  return {
    preview: row.preview,
    pushWhen: row.push_when,
    escalateAfterSeconds: row.escalate_after_seconds,
    ...(row.dnd_until && { dndUntil: row.dnd_until }),
    dndSchedule: row.dnd_schedule,
    timeZone: row.time_zone,
  }
}
