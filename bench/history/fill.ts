import type { openDatabase } from '../../src/db/database.ts'
import { BUSY, BUSY_CALLS, EXTENSIONS, TENANTS, tenantId } from './population.ts'

type Database = ReturnType<typeof openDatabase>

const OWNERS = [
  { table: 'call_records', name: 'call_records_tenant_id_fkey', column: 'tenant_id', owner: 'tenants' },
  {
    table: 'call_record_parties',
    name: 'call_record_parties_record_id_fkey',
    column: 'record_id',
    owner: 'call_records',
  },
] as const

/** Rows of one statement. */
const STEP = 500_000

/**
 * So many call records of two years, made by the server itself: a third from outside, a third to outside, a third between two
 * extensions; a few have the same beginning. Parties and sums are what the program's own store would have made of them.
 */
export async function fillHistory(db: Database, records: number): Promise<void> {
  await db.raw(
    `INSERT INTO tenants (id, name) SELECT overlay(? placing lpad(n::text, 12, '0') from 25)::uuid, 'bench ' || n
     FROM generate_series(0, ?) AS n`,
    [tenantId(0), TENANTS - 1],
  )
  // Looking up each row's owner would take longer than all the rest.
  for (const { table, name } of OWNERS) await db.raw('ALTER TABLE ?? DROP CONSTRAINT ??', [table, name])
  for (let from = 0; from < records; from += STEP) {
    await fillCalls(db, from, Math.min(STEP, records - from), records)
    console.error(`${Math.min(from + STEP, records)} call records`)
  }
  await db.raw(
    `INSERT INTO call_record_parties (tenant_id, party, start_time, record_id)
     SELECT tenant_id, caller_id_num, start_time, id FROM call_records
     UNION ALL SELECT tenant_id, callee, start_time, id FROM call_records WHERE callee <> caller_id_num
     ORDER BY 1, 2, 3`,
  )
  await db.raw(
    `INSERT INTO call_party_counts (tenant_id, party, calls)
     SELECT tenant_id, party, count(*) FROM call_record_parties GROUP BY tenant_id, party`,
  )
  for (const { table, name, column, owner } of OWNERS) {
    const values = [table, name, column, owner]
    await db.raw(
      'ALTER TABLE ?? ADD CONSTRAINT ?? FOREIGN KEY (??) REFERENCES ?? (id) ON DELETE CASCADE',
      values,
    )
  }
  for (const table of ['call_records', 'call_record_parties', 'call_party_counts']) {
    await db.raw('VACUUM (ANALYZE) ??', [table])
  }
}

async function fillCalls(db: Database, from: number, rows: number, all: number): Promise<void> {
  const extension = `(100 + floor(${EXTENSIONS} * power(random(), 2)))::text`
  const outside = `'030' || floor(random() * 1e6)::text`
  await db.raw(
    `INSERT INTO call_records (tenant_id, call_id, start_time, start_told, answer_time, end_time, duration_seconds,
       billable_seconds, caller_id_name, caller_id_num, callee, trunk_id, direction, disposition, recording_file, flow_path,
       hangup_cause, updated_at)
     SELECT overlay('${tenantId(0)}' placing lpad(tenant::text, 12, '0') from 25)::uuid,
       md5('call ' || g) || '@10.0.0.5', at, true, at + interval '8 s', at + interval '1 min', 60, 52, 'Somebody ' || g % 1000,
       CASE g % 3 WHEN 0 THEN ${outside} ELSE ${extension} END,
       CASE WHEN g % 3 = 1 THEN ${outside} WHEN is_busy THEN '${BUSY}' ELSE ${extension} END,
       CASE WHEN g % 3 < 2 THEN 1 END, (ARRAY['inbound', 'outbound', 'internal'])[g % 3 + 1],
       CASE WHEN g % 5 = 0 THEN 'no_answer' ELSE 'answered' END, '', 'ivr>queue>' || g % 50, 'NORMAL_CLEARING', at
     FROM (
       SELECT g, is_busy, CASE WHEN is_busy THEN 0 ELSE g % ${TENANTS} END AS tenant,
         date_trunc('second', now() - ((${all} - g) / ${all}.0) * interval '730 days') AS at
       FROM (
         SELECT g, g % ${Math.floor(all / BUSY_CALLS / 3) * 3} = 0 AS is_busy
         FROM generate_series(${from}, ${from + rows - 1}) AS g
       ) AS drawn
     ) AS made`,
  )
}
