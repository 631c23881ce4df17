import { Client } from 'pg'
import { openDatabase } from '../../src/db/database.ts'
import {
  createCallHistoryStore,
  type HistoryPage,
  type HistoryQuery,
} from '../../src/devices/call-history-store.ts'
import { createCallRecordStore } from '../../src/devices/call-record-store.ts'
import { anyExtension, anyTenant, BUSY, tenantId } from '../history/population.ts'
import { type Summary, summarize } from './summary.ts'

/** As the app asks. */
const LIMIT = 50
const DEEP = 5_000
/** Months of a busy extension: some 8,000 calls. */
const SINCE_DAYS = 60

export interface PagesSeen {
  ms: Summary
  /** Calls on all pages together: an empty page would be fast for nothing. */
  found: number
  /** Of the last page. */
  total: number
}

/** Pages of the history by the product's own store, one after another. */
export async function historyPages(settings: { databaseUrl: string; probes: number }) {
  const db = openDatabase(settings.databaseUrl, { poolSize: 1 })
  const { page } = createCallHistoryStore(db)
  const first = { limit: LIMIT, offset: 0 }
  const busy = (query: HistoryQuery) => page(tenantId(0), BUSY, query)
  const since = Date.now() - SINCE_DAYS * 24 * 3_600_000

  const measure = async (ask: () => Promise<HistoryPage>): Promise<PagesSeen> => {
    const times: number[] = []
    let [found, total] = [0, 0]
    for (let probe = 0; probe < settings.probes; probe += 1) {
      const begin = performance.now()
      const seen = await ask()
      times.push(performance.now() - begin)
      found += seen.calls.length
      total = seen.total
    }
    return { ms: summarize(times), found, total }
  }

  let place: HistoryPage['calls'][number] | undefined
  const seen = {
    'first page': await measure(() => page(anyTenant(), anyExtension(), first)),
    'first page of a busy one': await measure(() => busy(first)),
    [`offset ${DEEP}`]: await measure(() => busy({ ...first, offset: DEEP })),
    'page by cursor': await measure(async () => {
      const next = await busy({ ...first, after: place })
      place = next.calls.at(-1)
      return next
    }),
    'page since': await measure(() => busy({ ...first, since })),
  }
  const counted = await measure(async () => {
    const { rows } = await db.raw(
      'SELECT count(*) AS total FROM call_record_parties WHERE tenant_id = ? AND party = ?',
      [tenantId(0), BUSY],
    )
    return { calls: [], total: rows[0].total, hasMore: false }
  })
  await db.destroy()
  return { seen, counted }
}

/** What telling 500 calls costs in a full table: new ones, then their ends. */
export async function historyWrites(settings: { databaseUrl: string; batches: number }) {
  const db = openDatabase(settings.databaseUrl, { poolSize: 1 })
  const { report } = createCallRecordStore(db)
  const times: Record<'begun' | 'ended', number[]> = { begun: [], ended: [] }
  for (let batch = 0; batch < settings.batches; batch += 1) {
    const tenant = anyTenant()
    const calls = Array.from({ length: 500 }, (_, n) => ({
      callId: `bench ${process.pid} ${batch} ${n}`,
      startTime: Date.now(),
      facts: { callerIdNum: anyExtension(), callee: anyExtension(), direction: 'internal' as const },
    }))
    const ends = calls.map(({ callId }) => ({
      callId,
      facts: { endTime: Date.now(), duration: 5, disposition: 'answered' as const },
    }))
    for (const [name, updates] of [
      ['begun', calls],
      ['ended', ends],
    ] as const) {
      const begin = performance.now()
      await report(tenant, updates, Date.now())
      times[name].push(performance.now() - begin)
    }
  }
  await db.destroy()
  return { begun: summarize(times.begun), ended: summarize(times.ended) }
}

/** Tables that the first page reads from end to end; there must be none. */
export async function historyPlan(settings: { databaseUrl: string }): Promise<string[]> {
  const db = openDatabase(settings.databaseUrl, { poolSize: 1 })
  let statement: { sql: string; bindings: unknown[] } | undefined
  db.on('query', (query: { sql: string; bindings: unknown[] }) => {
    statement = query
  })
  await createCallHistoryStore(db).page(tenantId(0), BUSY, { limit: LIMIT, offset: DEEP })
  await db.destroy()
  const client = new Client({ connectionString: settings.databaseUrl })
  await client.connect()
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${statement?.sql}`, statement?.bindings)
  await client.end()
  return [...JSON.stringify(rows).matchAll(/"Seq Scan"[^{}]*?"Relation Name":"(\w+)"/g)].map(
    ([, name]) => name ?? '',
  )
}
