import { Client } from 'pg'
import { openDatabase } from '../../src/db/database.ts'
import { DAY, HOUR } from '../../src/lib/units.ts'
import type { PushRecord } from '../../src/push/push-record.ts'
import { createPushSearchStore, type PushFilter, type PushPage } from '../../src/push/push-search-store.ts'
import { FILLED_DAYS } from '../push-log/fill.ts'
import { type PlanSummary, summarizePlan } from '../push-log/plan.ts'
import { type Summary, summarize } from './summary.ts'

const PAGE = 50

/** What operators look for when they have this push in mind. */
const FILTERS = {
  'call id': ({ callId }) => ({ callId: callId ?? '' }),
  'call id, none there': ({ id }) => ({ callId: id }),
  extension: ({ extension }) => ({ extension: extension ?? '' }),
  'extension of a tenant': ({ extension, tenantId }) => ({ extension: extension ?? '', tenantId }),
  'token hash': ({ tokenHash }) => ({ tokenHash }),
  licence: ({ licenseId }) => ({ licenseId: licenseId ?? '00000000-0000-8000-b000-000000000000' }),
  tenant: ({ tenantId }) => ({ tenantId }),
  'state of a tenant': ({ tenantId }) => ({ tenantId, state: 'failed' }),
  state: () => ({ state: 'token_dead' }),
  kind: ({ kind }) => ({ kind }),
  'an hour': ({ acceptedAt }) => ({ from: acceptedAt, to: acceptedAt + HOUR }),
} as const satisfies Record<string, (push: PushRecord) => PushFilter>

export type SearchName = keyof typeof FILTERS | 'id' | 'tenant, page 2'

export interface SearchSeen {
  ms: Summary
  /** Pushes found by all probes together: a search that finds nothing would be fast for nothing. */
  found: number
  plan: PlanSummary
}

/** Each search of the product's store with pushes drawn from the whole log, one after another. */
export async function pushLogSearches(settings: { databaseUrl: string; probes: number }) {
  const db = openDatabase(settings.databaseUrl, { poolSize: 1 })
  const store = createPushSearchStore(db, FILLED_DAYS)
  const pushes = await anyPushes(store.search, settings.probes)
  const explained = new Client({ connectionString: settings.databaseUrl })
  await explained.connect()

  const measure = async (search: (push: PushRecord) => Promise<readonly unknown[]>): Promise<SearchSeen> => {
    let statement: { sql: string; bindings: unknown[] } | undefined
    const listen = (query: { sql: string; bindings: unknown[] }) => {
      if (query.sql.startsWith('select')) statement = query
    }
    db.on('query', listen)
    const times: number[] = []
    let found = 0
    for (const push of pushes) {
      const begin = performance.now()
      const rows = await search(push)
      times.push(performance.now() - begin)
      found += rows.length
    }
    db.off('query', listen)
    if (!statement) throw new Error('the search made no query')
    const plan = await explained.query(`EXPLAIN (FORMAT JSON) ${statement.sql}`, statement.bindings)
    return { ms: summarize(times), found, plan: await summarizePlan(explained, plan.rows[0]) }
  }

  const seen: Partial<Record<SearchName, SearchSeen>> = {}
  for (const [name, toFilter] of Object.entries(FILTERS)) {
    const search = async (push: PushRecord) => (await store.search(toFilter(push), PAGE)).pushes
    seen[name as keyof typeof FILTERS] = await measure(search)
  }
  seen.id = await measure(async ({ id }) => [await store.find(id)])
  const firstPages = new Map<PushRecord, PushPage>()
  for (const push of pushes) firstPages.set(push, await store.search(FILTERS.tenant(push), PAGE))
  seen['tenant, page 2'] = await measure(async (push) => {
    const next = firstPages.get(push)?.next
    return next ? (await store.search(FILTERS.tenant(push), PAGE, next)).pushes : []
  })
  await explained.end()
  await db.destroy()
  return seen as Record<SearchName, SearchSeen>
}

/** One push each from random moments of the filled days. */
async function anyPushes(
  search: (filter: PushFilter, limit: number) => Promise<PushPage>,
  count: number,
): Promise<PushRecord[]> {
  const pushes: PushRecord[] = []
  while (pushes.length < count) {
    const to = Date.now() - Math.random() * (FILLED_DAYS - 1) * DAY
    const [push] = (await search({ from: to - HOUR, to }, 1)).pushes
    if (push?.callId !== undefined) pushes.push(push)
  }
  return pushes
}
