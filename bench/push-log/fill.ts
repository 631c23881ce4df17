import type { openDatabase } from '../../src/db/database.ts'
import { DAY } from '../../src/lib/units.ts'
import { dayName, startOfDay } from '../../src/push/push-log-days.ts'
import { createPushLogPartitionStore } from '../../src/push/push-log-partition-store.ts'
import { EXTENSIONS, licenseId, TENANTS, TOKENS_EACH, tenantId } from './population.ts'

const PER_TENANT = EXTENSIONS / TENANTS

type Database = ReturnType<typeof openDatabase>

/** Days that have rows, today included: as PUSH_LOG_DAYS keeps them. */
export const FILLED_DAYS = 30

/**
 * A push log of `rows` rows in thirty days, made by the server itself: calls and messages, one in 33 without success, half of the
 * ids sorted by time and half derived, as the API makes them.
 */
export async function fillPushLog(db: Database, rows: number): Promise<void> {
  const today = startOfDay(Date.now())
  const first = today - (FILLED_DAYS - 1) * DAY
  await createPushLogPartitionStore(db).ensure(first, FILLED_DAYS)
  await db.raw(
    `INSERT INTO tenants (id, name) SELECT overlay(? placing lpad(n::text, 12, '0') from 25)::uuid, 'bench ' || n
     FROM generate_series(0, ?) AS n`,
    [tenantId(0), TENANTS - 1],
  )
  await db.raw(
    `INSERT INTO licenses (id, tenant_id, tier, max_extensions)
     SELECT overlay(? placing lpad(n::text, 12, '0') from 25)::uuid, overlay(? placing lpad(n::text, 12, '0') from 25)::uuid, 'custom', n
     FROM generate_series(0, ?) AS n`,
    [licenseId(0), tenantId(0), TENANTS - 1],
  )
  const perDay = Math.ceil(rows / FILLED_DAYS)
  for (let day = first; day <= today; day += DAY) {
    // Today is not over yet.
    await fillDay(db, day, perDay, Math.min(DAY, Date.now() - day))
  }
}

async function fillDay(db: Database, day: number, rows: number, lengthMs: number): Promise<void> {
  const [logs, attempts] = [`push_logs_${dayName(day)}`, `push_attempts_${dayName(day)}`]
  await db.raw(
    `INSERT INTO ?? (id, tenant_id, license_id, kind, provider, environment, app_id, token_hash, device_id, extension,
       call_id, state, token_state, attempts, provider_id, provider_status, reason, detail, accepted_at, started_at, sent_at,
       answered_at, closed_at, expires_at)
     SELECT
       (CASE WHEN g % 2 = 0 THEN lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ELSE left(h, 12) || '8' END
         || substr(h, 13, 3) || '8' || right(h, 15))::uuid,
       overlay('${tenantId(0)}' placing lpad((e / ${PER_TENANT})::text, 12, '0') from 25)::uuid,
       CASE WHEN l < 0.8 THEN overlay('${licenseId(0)}' placing lpad((e / ${PER_TENANT})::text, 12, '0') from 25)::uuid END,
       kind, CASE WHEN e % 3 = 0 THEN 'fcm' ELSE 'apns' END, 'production', 'default',
       encode(sha256((e * ${TOKENS_EACH} + g % ${TOKENS_EACH})::text::bytea), 'hex'), h::uuid,
       (100 + e % ${PER_TENANT})::text,
       CASE WHEN kind NOT IN ('message', 'badge', 'background') THEN md5('${dayName(day)} call ' || g / 2) || '@10.0.0.5' END,
       state, CASE state WHEN 'token_dead' THEN 'dead' ELSE 'valid' END, CASE WHEN r > 0.96 THEN 2 ELSE 1 END,
       CASE state WHEN 'delivered' THEN h END, CASE state WHEN 'delivered' THEN 200 WHEN 'expired' THEN NULL ELSE 410 END,
       CASE WHEN state <> 'delivered' THEN 'Unregistered' END, CASE WHEN state <> 'delivered' THEN 'The app is gone.' END,
       at, at, at + interval '1 ms', at + interval '40 ms', at + interval '41 ms', at + interval '30 s'
     FROM (
       SELECT g, e, r, l, h, at,
         CASE WHEN k < 0.6 THEN 'call' WHEN k < 0.7 THEN 'cancel' WHEN k < 0.78 THEN 'missed_call' WHEN k < 0.8 THEN 'voicemail'
           WHEN k < 0.99 THEN 'message' WHEN k < 0.999 THEN 'badge' ELSE 'background' END AS kind,
         CASE WHEN r < 0.97 THEN 'delivered' WHEN r < 0.98 THEN 'token_dead' WHEN r < 0.985 THEN 'rejected'
           WHEN r < 0.993 THEN 'expired' ELSE 'failed' END AS state
       FROM (
         SELECT g, random() AS r, random() AS k, random() AS l, floor(${EXTENSIONS} * power(random(), 2))::int AS e,
           md5('${dayName(day)} push ' || g) AS h,
           date_trunc('milliseconds', to_timestamp(${day / 1_000}) + g * ${lengthMs / rows} * interval '1 ms') AS at
         FROM generate_series(0, ${rows - 1}) AS g
       ) AS drawn
     ) AS made`,
    [logs],
  )
  await db.raw(
    `INSERT INTO ?? (push_id, accepted_at, number, environment, sent_at, answered_at, outcome, class, provider_status, reason)
     SELECT id, accepted_at, 1, environment, sent_at, answered_at, 'retry', 'transient', 503, 'ServiceUnavailable'
     FROM ?? WHERE attempts > 1`,
    [attempts, logs],
  )
  await db.raw('VACUUM (ANALYZE) ??', [logs])
  await db.raw('VACUUM (ANALYZE) ??', [attempts])
}
