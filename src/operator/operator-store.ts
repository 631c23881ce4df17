import type { Knex } from 'knex'
import type { Role } from '../http/operator-roles.ts'

/** Somebody who may see the console. */
export interface Operator {
  id: string
  name: string
  role: Role
}

export function createOperatorStore(db: Knex) {
  return {
    async findByName(name: string): Promise<(Operator & { passwordHash: string }) | undefined> {
      const row = await db('operators').first('id', 'name', 'role', 'password_hash').where({ name })
      return row && { id: row.id, name: row.name, role: row.role, passwordHash: row.password_hash }
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
