import type { Knex } from 'knex'
import type { Operator } from './operator-store.ts'

/** Who is logged in. Known by the hash of the cookie only: a dump of the table lets nobody in. */
export function createOperatorSessionStore(db: Knex) {
  return {
    async insert(session: { tokenHash: string; operatorId: string; expiresAt: Date }): Promise<void> {
      await db('operator_sessions').insert({
        token_hash: session.tokenHash,
        operator_id: session.operatorId,
        expires_at: session.expiresAt,
      })
    },

    /** The operator of a session that has not expired, with the role he has now. */
    async findOperator(tokenHash: string, now: Date): Promise<Operator | undefined> {
      return db('operator_sessions')
        .join('operators', 'operators.id', 'operator_sessions.operator_id')
        .first('operators.id', 'operators.name', 'operators.role')
        .where('operator_sessions.token_hash', tokenHash)
        .where('operator_sessions.expires_at', '>', now)
    },

    async delete(tokenHash: string): Promise<boolean> {
      return (await db('operator_sessions').where({ token_hash: tokenHash }).delete()) > 0
    },

    async deleteExpired(now: Date): Promise<number> {
      return db('operator_sessions').where('expires_at', '<=', now).delete()
    },
  }
}
export type OperatorSessionStore = ReturnType<typeof createOperatorSessionStore>
