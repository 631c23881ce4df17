import type { Knex } from 'knex'
import { ENDED_COLUMNS, silencePhones } from '../devices/ended-session-store.ts'
import type { AppCaller } from '../http/app-caller.ts'
import type { RefreshState } from './session-rotation.ts'

export interface NewSession {
  id: string
  tenantId: string
  extensionId: number
  deviceKey?: string | undefined
  name: string
  address: string
  createdAt: Date
  expiresAt: Date
  /** Of its refresh token, when it has one. */
  generation?: number | undefined
}

export interface AppSession {
  id: string
  deviceKey: string | null
  name: string
  address: string
  createdAt: Date
  lastSeenAt: Date
  expiresAt: Date
}

export type EndReason = 'logout' | 'revoked' | 'reuse' | 'password' | 'device' | 'operator'
/** Ends the session for this reason, or goes on with this. */
export type SessionChange = { end: EndReason } | { generation: number; refreshedAt: Date; expiresAt: Date }
export type StoredSession = RefreshState & AppCaller

/** More than a person has phones; what goes beyond is a login that is made over and over. */
export const MAX_SESSIONS = 50

const SETTLED_COLUMNS = [
  ...['s.id', 's.tenant_id', 's.extension_id', 's.device_key', 'e.number'],
  ...['s.expires_at', 's.refresh_generation', 's.refreshed_at', 's.revoked_at'],
]

export function createSessionStore(db: Knex) {
  const live = (now: Date, on: Knex = db) =>
    on('app_sessions').whereNull('revoked_at').where('expires_at', '>', now)
  const endThose = (which: Record<string, unknown>, why: EndReason, now: Date): Promise<number> =>
    db.transaction(async (trx) => {
      const ended = live(now, trx)
        .where(which)
        .update(toUpdate({ end: why }, now))
      return (await silencePhones(trx, await ended.returning(ENDED_COLUMNS))).length
    })
  return {
    /**
     * Opens a session for who has shown the password of this hash; false when it is another one by now. A link can be spent only
     * once, and only together with this. The session that the device had before ends, and of too many the oldest.
     */
    open: (session: NewSession, proof: { passwordHash: string; linkHash?: string }): Promise<boolean> =>
      db.transaction(async (trx) => {
        // Whoever changes the password waits for this, and then ends what was opened; or this waits, and sees the new one. Two logins
        // on one phone wait for each other, so that the second one ends the first.
        const stillRight = await trx('extensions')
          .first('id')
          .where({
            tenant_id: session.tenantId,
            id: session.extensionId,
            password_hash: proof.passwordHash,
          })
          .forNoKeyUpdate()
        if (!stillRight) return false
        if (proof.linkHash !== undefined && !(await spendLink(trx, session, proof.linkHash))) return false
        await endFormer(trx, session)
        await trx('app_sessions').insert(toRow(session))
        return true
      }),

    /** What a request of the app needs to know; undefined when the session has ended or is another extension's. */
    async findLive(
      id: string,
      extensionId: number,
      now: Date,
    ): Promise<(AppCaller & { lastSeenAt: Date }) | undefined> {
      const row = await db('app_sessions AS s')
        .join('extensions AS e', 'e.id', 's.extension_id')
        .first('s.id', 's.tenant_id', 's.extension_id', 's.device_key', 's.last_seen_at', 'e.number')
        .where({ 's.id': id, 's.extension_id': extensionId })
        .whereNull('s.revoked_at')
        .where('s.expires_at', '>', now)
      return row && { ...toCaller(row), lastSeenAt: row.last_seen_at as Date }
    },

    async touch(id: string, now: Date): Promise<void> {
      await db('app_sessions').where({ id }).where('last_seen_at', '<', now).update({ last_seen_at: now })
    },

    /** One after the other for one session: what is judged is what is changed. Undefined when there is no such session. */
    settle: <Result>(
      id: string,
      now: Date,
      judge: (session: StoredSession) => { result: Result; change?: SessionChange },
    ): Promise<Result | undefined> =>
      db.transaction(async (trx) => {
        const row = await trx('app_sessions AS s')
          .join('extensions AS e', 'e.id', 's.extension_id')
          .first(...SETTLED_COLUMNS)
          .where({ 's.id': id })
          .forUpdate('s')
        if (!row) return undefined
        const { result, change } = judge({ ...toCaller(row), ...toState(row) })
        if (change) {
          const changed = trx('app_sessions').where({ id }).update(toUpdate(change, now))
          const rows = await changed.returning(ENDED_COLUMNS)
          if ('end' in change) await silencePhones(trx, rows)
        }
        return result
      }),

    /** Of one extension, the newest first. */
    async list(tenantId: string, extensionId: number, now: Date): Promise<AppSession[]> {
      const rows = await live(now)
        .select('id', 'device_key', 'name', 'address', 'created_at', 'last_seen_at', 'expires_at')
        .where({ tenant_id: tenantId, extension_id: extensionId })
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
      return rows.map(fromRow)
    },

    /** With the tokens of its phone. False when the extension has no such session, or it has ended. */
    end: async (
      { tenantId, extensionId, id }: { tenantId: string; extensionId: number; id: string },
      why: EndReason,
      now: Date,
    ): Promise<boolean> =>
      (await endThose({ tenant_id: tenantId, extension_id: extensionId, id }, why, now)) > 0,

    /** With the tokens of their phones. Returns how many there were. */
    endAll: (tenantId: string, extensionId: number, why: EndReason, now: Date): Promise<number> =>
      endThose({ tenant_id: tenantId, extension_id: extensionId }, why, now),

    /** Forgets what has expired. */
    async prune(expiredBefore: Date, limit: number): Promise<number> {
      const expired = db('app_sessions').select('id').where('expires_at', '<', expiredBefore).limit(limit)
      return db('app_sessions').whereIn('id', expired).delete()
    },
  }
}
export type SessionStore = ReturnType<typeof createSessionStore>

async function spendLink(trx: Knex, session: NewSession, tokenHash: string): Promise<boolean> {
  const spent = await trx('provisioning_links')
    .where({ token_hash: tokenHash, tenant_id: session.tenantId, extension_id: session.extensionId })
    .whereNull('used_at')
    .where('expires_at', '>', session.createdAt)
    .update({ used_at: session.createdAt, password_sealed: '' })
  return spent > 0
}

async function endFormer(trx: Knex, { extensionId, deviceKey, createdAt }: NewSession): Promise<void> {
  const live = () => trx('app_sessions').whereNull('revoked_at').where({ extension_id: extensionId })
  if (deviceKey !== undefined) {
    await live()
      .where({ device_key: deviceKey })
      .update(toUpdate({ end: 'device' }, createdAt))
  }
  const tooMany = live()
    .select('id')
    .where('expires_at', '>', createdAt)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .offset(MAX_SESSIONS - 1)
  await live()
    .whereIn('id', tooMany)
    .update(toUpdate({ end: 'revoked' }, createdAt))
}

interface Row {
  id: string
  tenant_id: string
  extension_id: number
  number: string
  device_key: string | null
  name: string
  address: string
  created_at: Date
  last_seen_at: Date
  expires_at: Date
  refresh_generation: number | null
  refreshed_at: Date | null
  revoked_at: Date | null
}

const toRow = (session: NewSession) => ({
  id: session.id,
  tenant_id: session.tenantId,
  extension_id: session.extensionId,
  device_key: session.deviceKey ?? null,
  name: session.name,
  address: session.address,
  created_at: session.createdAt,
  last_seen_at: session.createdAt,
  expires_at: session.expiresAt,
  refresh_generation: session.generation ?? null,
  refreshed_at: session.generation === undefined ? null : session.createdAt,
})

const toUpdate = (change: SessionChange, now: Date) =>
  'end' in change
    ? { revoked_at: now, revoked_why: change.end }
    : {
        refresh_generation: change.generation,
        refreshed_at: change.refreshedAt,
        expires_at: change.expiresAt,
        last_seen_at: now,
      }

const fromRow = (row: Row): AppSession => ({
  id: row.id,
  deviceKey: row.device_key,
  name: row.name,
  address: row.address,
  createdAt: row.created_at,
  lastSeenAt: row.last_seen_at,
  expiresAt: row.expires_at,
})

const toCaller = (
  row: Pick<Row, 'id' | 'tenant_id' | 'extension_id' | 'number' | 'device_key'>,
): AppCaller => ({
  tenantId: row.tenant_id,
  extensionId: row.extension_id,
  extension: row.number,
  sessionId: row.id,
  ...(row.device_key !== null && { deviceKey: row.device_key }),
})

const toState = (row: Row): RefreshState => ({
  expiresAt: row.expires_at,
  ...(row.refresh_generation !== null && { generation: row.refresh_generation }),
  ...(row.refreshed_at && { refreshedAt: row.refreshed_at }),
  ...(row.revoked_at && { revokedAt: row.revoked_at }),
})
