import { SECOND } from '../../src/lib/units.ts'
import { query } from '../../tests/support/databases.ts'
import type { Row } from './row.ts'

const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE usename = 'wakeline' AND backend_type = 'client backend'`

export const killedSessions: Row = {
  title: 'all sessions of PostgreSQL are ended every second for 10 s',
  callsSent: 0.99,
  async hurt({ stack, lasting, isShort }) {
    for (let round = 0; round < (isShort ? 3 : 10); round += 1) {
      await query(stack.postgres.adminUrl, TERMINATE)
      await lasting(SECOND, SECOND)
    }
  },
}

export const frozenPostgres: Row = {
  title: 'PostgreSQL does not answer for 10 s',
  callsSent: 0.99,
  async hurt({ stack, lasting }) {
    await stack.postgres.freeze()
    await lasting(10 * SECOND, 4 * SECOND)
    await stack.postgres.thaw()
  },
}

export const stoppedPostgres: Row = {
  title: 'PostgreSQL is cut off for 30 s',
  callsSent: 0.99,
  async hurt({ stack, lasting }) {
    await stack.postgres.crash()
    await lasting(30 * SECOND, 4 * SECOND)
    await stack.postgres.start()
  },
}
