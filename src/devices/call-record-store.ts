import type { Knex } from 'knex'
import { type CallRecord, type CallUpdate, mergeCallRecord, partiesOf } from './call-record.ts'
import { type CallRecordRow, fromRow, ROW_COLUMNS, ROW_TYPES, toRow } from './call-record-row.ts'

export type CallReport = 'created' | 'updated' | 'unchanged'

/** The call records of a tenant as its PBX tells them. */
export function createCallRecordStore(db: Knex) {
  return {
    /** Takes the updates in their order, all or none; says of each what it did. */
    report: (tenantId: string, updates: readonly CallUpdate[], now: number): Promise<CallReport[]> =>
      db.transaction((trx) => report(trx, tenantId, updates, now)),
  }
}
export type CallRecordStore = ReturnType<typeof createCallRecordStore>

async function report(
  trx: Knex,
  tenantId: string,
  updates: readonly CallUpdate[],
  now: number,
): Promise<CallReport[]> {
  const drafts = applied(new Map(), updates, now).records
  const created = await insertNew(trx, tenantId, [...drafts.values()])
  const known = [...drafts.keys()].filter((callId) => !created.has(callId))
  const stored = known.length > 0 ? await lockKnown(trx, tenantId, known) : []
  const before = new Map(stored.map(({ record }) => [record.callId, record]))
  const { records, reports } = applied(before, updates, now)

  const changes: Change[] = []
  for (const [callId, id] of created) changes.push({ id, after: drafts.get(callId) })
  for (const { id, record, gone } of stored) {
    const after = records.get(record.callId)
    if (after !== record) changes.push({ id, before: record, after, gone })
  }
  const updated = changes.filter(({ before: old }) => old !== undefined)
  if (updated.length > 0) await updateKnown(trx, tenantId, updated)
  await moveParties(trx, tenantId, changes)
  return reports
}

interface Change {
  id: number
  before?: CallRecord
  after: CallRecord | undefined
  /** Parties that are extensions no more: the call is in nobody's history under their numbers. */
  gone?: readonly string[]
}

/** The records after the updates, and what each of these did. A record that did not change is the same object. */
function applied(before: ReadonlyMap<string, CallRecord>, updates: readonly CallUpdate[], now: number) {
  const records = new Map(before)
  const reports = updates.map((update): CallReport => {
    const record = records.get(update.callId)
    const merged = mergeCallRecord(record, update, now)
    if (record && isSame(record, merged)) return 'unchanged'
    records.set(update.callId, merged)
    return record ? 'updated' : 'created'
  })
  return { records, reports }
}

const isSame = (one: CallRecord, other: CallRecord): boolean => {
  const [a, b] = [toRow(one), toRow(other)]
  return ROW_COLUMNS.every((column) => a[column]?.valueOf() === b[column]?.valueOf())
}

/** All in one order, so that two batches with the same calls do not wait for each other. */
const inOrder = <T>(items: readonly T[], keyOf: (item: T) => string): T[] =>
  [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))

const COLUMN_LIST = ROW_COLUMNS.join(', ')
const RECORD_TYPE = ROW_COLUMNS.map((column) => `${column} ${ROW_TYPES[column]}`).join(', ')
const ASSIGNMENTS = ROW_COLUMNS.map((column) => `${column} = new.${column}`).join(', ')

/** Stores those that are not there yet; their ids by call id. */
async function insertNew(
  trx: Knex,
  tenantId: string,
  records: readonly CallRecord[],
): Promise<Map<string, number>> {
  const rows = inOrder(records, ({ callId }) => callId).map(toRow)
  const { rows: inserted } = await trx.raw<{ rows: { id: number; call_id: string }[] }>(
    `INSERT INTO call_records (tenant_id, updated_at, ${COLUMN_LIST})
     SELECT ?, now(), ${COLUMN_LIST} FROM jsonb_to_recordset(?) AS new (${RECORD_TYPE})
     ON CONFLICT (tenant_id, call_id) DO NOTHING
     RETURNING id, call_id`,
    [tenantId, JSON.stringify(rows)],
  )
  return new Map(inserted.map(({ id, call_id }) => [call_id, id]))
}

async function lockKnown(trx: Knex, tenantId: string, callIds: readonly string[]) {
  const rows = await trx<CallRecordRow & { id: number; tenant_id: string; left_parties: string[] }>(
    'call_records',
  )
    .select('id', 'left_parties', ...ROW_COLUMNS)
    .where({ tenant_id: tenantId })
    .whereRaw('call_id = ANY (?::text[])', [[...callIds]])
    .orderBy('call_id')
    .forNoKeyUpdate()
  return rows.map(({ id, left_parties: gone, ...row }) => ({
    id,
    gone,
    record: fromRow(row as CallRecordRow),
  }))
}

async function updateKnown(trx: Knex, tenantId: string, changes: readonly Change[]): Promise<void> {
  const rows = changes.flatMap(({ id, after }) => (after ? [{ id, ...toRow(after) }] : []))
  await trx.raw(
    `UPDATE call_records SET updated_at = now(), ${ASSIGNMENTS}
     FROM jsonb_to_recordset(?) AS new (id bigint, ${RECORD_TYPE})
     WHERE call_records.tenant_id = ? AND call_records.id = new.id`,
    [JSON.stringify(rows), tenantId],
  )
}

/** Puts the calls into the histories where they belong now, and keeps the sums. */
async function moveParties(trx: Knex, tenantId: string, changes: readonly Change[]): Promise<void> {
  const left: Place[] = []
  const joined: Place[] = []
  for (const { id, before, after, gone } of changes) {
    const was = before ? placesOf(id, before, gone) : []
    const is = after ? placesOf(id, after, gone) : []
    left.push(...was.filter((place) => !is.some((other) => isSamePlace(place, other))))
    joined.push(...is.filter((place) => !was.some((other) => isSamePlace(place, other))))
  }
  if (left.length > 0) await removePlaces(trx, tenantId, left)
  if (joined.length > 0) await addPlaces(trx, tenantId, joined)
  const sums = new Map<string, number>()
  for (const { party } of joined) sums.set(party, (sums.get(party) ?? 0) + 1)
  for (const { party } of left) sums.set(party, (sums.get(party) ?? 0) - 1)
  const changed = [...sums].filter(([, change]) => change !== 0)
  if (changed.length > 0)
    await addUp(
      trx,
      tenantId,
      inOrder(changed, ([party]) => party),
    )
}

interface Place {
  party: string
  startTime: number
  id: number
}
const placesOf = (id: number, record: CallRecord, gone: readonly string[] = []): Place[] =>
  partiesOf(record)
    .filter((party) => !gone.includes(party))
    .map((party) => ({ party, startTime: record.startTime, id }))
const isSamePlace = (one: Place, other: Place): boolean =>
  one.party === other.party && one.startTime === other.startTime

const columnsOf = (places: readonly Place[]) => [
  places.map(({ party }) => party),
  places.map(({ startTime }) => new Date(startTime)),
  places.map(({ id }) => id),
]

const removePlaces = (trx: Knex, tenantId: string, places: readonly Place[]) =>
  trx.raw(
    `DELETE FROM call_record_parties AS p
     USING unnest(?::text[], ?::timestamptz[], ?::bigint[]) AS gone (party, start_time, record_id)
     WHERE p.tenant_id = ? AND p.party = gone.party AND p.start_time = gone.start_time AND p.record_id = gone.record_id`,
    [...columnsOf(places), tenantId] as Knex.RawBinding[],
  )

const addPlaces = (trx: Knex, tenantId: string, places: readonly Place[]) =>
  trx.raw(
    `INSERT INTO call_record_parties (tenant_id, party, start_time, record_id)
     SELECT ?, new.* FROM unnest(?::text[], ?::timestamptz[], ?::bigint[]) AS new`,
    [tenantId, ...columnsOf(places)] as Knex.RawBinding[],
  )

const addUp = (trx: Knex, tenantId: string, changes: readonly (readonly [string, number])[]) =>
  trx.raw(
    `INSERT INTO call_party_counts AS c (tenant_id, party, calls)
     SELECT ?, new.* FROM unnest(?::text[], ?::bigint[]) AS new
     ON CONFLICT (tenant_id, party) DO UPDATE SET calls = c.calls + excluded.calls`,
    [tenantId, changes.map(([party]) => party), changes.map(([, change]) => change)],
  )
