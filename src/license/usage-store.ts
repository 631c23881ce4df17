import type { Knex } from 'knex'

/** Pushes a licence asked for in a UTC day. */
export interface UsageDay {
  licenseId: string
  /** Like `2026-11-21`. */
  day: string
  calls: number
  messages: number
  refusedCalls: number
  refusedMessages: number
}

export interface InUse {
  extensions: number
  installations: number
}

export function createUsageStore(db: Knex) {
  return {
    /** Adds to what is there. At most one entry for each licence and day. */
    async add(days: readonly UsageDay[]): Promise<void> {
      if (days.length === 0) return
      // In one order, so that two nodes cannot deadlock.
      const rows = [...days].sort((a, b) => (a.licenseId + a.day < b.licenseId + b.day ? -1 : 1)).map(toRow)
      const sum = (column: string) => db.raw('license_usage.?? + excluded.??', [column, column])
      await db('license_usage')
        .insert(rows)
        .onConflict(['license_id', 'day'])
        .merge({
          calls: sum('calls'),
          messages: sum('messages'),
          refused_calls: sum('refused_calls'),
          refused_messages: sum('refused_messages'),
        })
    },

    /** From this day on, the latest first; days without a push are not there. */
    async list(licenseId: string, fromDay: string): Promise<UsageDay[]> {
      const rows = await db('license_usage')
        .select('license_id', 'calls', 'messages', 'refused_calls', 'refused_messages')
        // As text: a date has no time zone, and the driver would give it ours.
        .select({ day: db.raw(`to_char(day, 'YYYY-MM-DD')`) })
        .where({ license_id: licenseId })
        .where('day', '>=', fromDay)
        .orderBy('license_usage.day', 'desc')
      return rows.map(fromRow)
    },

    /** Extensions of the tenant, and installations of this licence. */
    async inUse({ id, tenantId }: { id: string; tenantId: string }): Promise<InUse> {
      const [row] = await db.select({
        extensions: db('extensions').where({ tenant_id: tenantId }).count(),
        installations: db('installations').where({ license_id: id }).whereNull('deactivated_at').count(),
      })
      return row as InUse
    },
  }
}
export type UsageStore = ReturnType<typeof createUsageStore>

interface Row {
  license_id: string
  day: string
  calls: number
  messages: number
  refused_calls: number
  refused_messages: number
}

const toRow = (usage: UsageDay): Row => ({
  license_id: usage.licenseId,
  day: usage.day,
  calls: usage.calls,
  messages: usage.messages,
  refused_calls: usage.refusedCalls,
  refused_messages: usage.refusedMessages,
})

const fromRow = (row: Row): UsageDay => ({
  licenseId: row.license_id,
  day: row.day,
  calls: row.calls,
  messages: row.messages,
  refusedCalls: row.refused_calls,
  refusedMessages: row.refused_messages,
})
