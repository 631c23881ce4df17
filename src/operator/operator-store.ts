import type { Knex } from 'knex'
import type { Role } from '../http/operator-roles.ts'

/** Somebody who may see the console. */
export interface Operator {
  id: string
  name: string
  role: Role
}

/** An account, and how often it is logged in now. Times are milliseconds since the epoch. */
export interface OperatorAccount extends Operator {
  createdAt: number
  sessions: number
}

export function createOperatorStore(db: Knex) {
  /** Whoever was logged in by what was true before is not any more. */
  const change = (name: string, changes: { role: Role } | { password_hash: string }): Promise<boolean> =>
    db.transaction(async (trx) => {
      const [changed] = await trx('operators').where({ name }).update(changes).returning('id')
      if (!changed) return false
      await trx('operator_sessions').where({ operator_id: changed.id }).delete()
      return true
    })
  return {
    async findByName(name: string): Promise<(Operator & { passwordHash: string }) | undefined> {
      const row = await db('operators').first('id', 'name', 'role', 'password_hash').where({ name })
      return row && { id: row.id, name: row.name, role: row.role, passwordHash: row.password_hash }
    },

    /** By name. */
    async list(now: Date): Promise<OperatorAccount[]> {
      const rows = await db('operators')
        .select('operators.id', 'operators.name', 'operators.role', 'operators.created_at')
        .select({
          sessions: db('operator_sessions')
            .count()
            .whereRaw('operator_sessions.operator_id = operators.id')
            .where('operator_sessions.expires_at', '>', now),
        })
        .orderBy('operators.name')
      return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: created_at.getTime() }))
    },

    /** Ends his sessions. False when there is nobody of this name. */
    setRole: (name: string, role: Role) => change(name, { role }),
    setPassword: (name: string, passwordHash: string) => change(name, { password_hash: passwordHash }),

    /** With his sessions. False when there is nobody of this name. */
    async remove(name: string): Promise<boolean> {
      return (await db('operators').where({ name }).delete()) > 0
    },

    /** False when there is somebody of that name already, who stays as he is. */
    async insert(operator: Operator & { passwordHash: string }): Promise<boolean> {
      const inserted = await db('operators')
        .insert({
          id: operator.id,
          name: operator.name,
          role: operator.role,
          password_hash: operator.passwordHash,
        })
        .onConflict('name')
        .ignore()
        .returning('id')
      return inserted.length > 0
    },
  }
}
export type OperatorStore = ReturnType<typeof createOperatorStore>
