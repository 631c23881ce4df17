import { hash, randomBytes } from 'node:crypto'
import { openDatabase } from '../../src/db/database.ts'
import { newId } from '../../src/lib/ids.ts'
import type { Push } from '../../src/push/push.ts'
import { ROW_COLUMNS, ROW_RECORD, toRow } from '../../src/push/push-log-row.ts'
import { createPushLogStore, type PushLogStore } from '../../src/push/push-log-store.ts'
import type { PushResult } from '../../src/push/push-result.ts'
import {
  anyExtension,
  EXTENSIONS,
  licenseId,
  TENANTS,
  TOKENS_EACH,
  tenantId,
  tokenSeed,
} from '../push-log/population.ts'
import { mark } from './marks.ts'
import { type Summary, summarize } from './summary.ts'

/** As many as the push log writes with one statement. */
export const BATCH = 500

interface Written {
  rows: number
  perSecond: number
  batchMs: Summary
}
type Ended = { push: Push; result: PushResult }

/**
 * Rows in full batches, one batch after the other: into a bare table, whole (as pushes that are answered at once), opened, and
 * closed. Marks begin and end of each.
 */
export async function pushLogWrites(settings: { databaseUrl: string; batches: number }) {
  const db = openDatabase(settings.databaseUrl, { poolSize: 1 })
  const store = createPushLogStore(db)
  await db.raw('DROP TABLE IF EXISTS bare_rows')
  await db.raw('CREATE TABLE bare_rows (LIKE push_logs)')
  const insertBare = async (batch: Ended[]) => {
    const rows = batch.map(({ push, result }) => toRow(push, result))
    await db.raw(
      `INSERT INTO bare_rows (${ROW_COLUMNS}) SELECT ${ROW_COLUMNS} FROM json_to_recordset(?::json) AS r (${ROW_RECORD})`,
      [JSON.stringify(rows)],
    )
  }
  const make = () => Array.from({ length: settings.batches }, anyBatch)
  await insertBare(anyBatch())
  await store.close(anyBatch())

  const bare = await measure('bare', make(), insertBare)
  const whole = await measure('whole', make(), store.close)
  const pushes = make()
  const opened = await measure('opened', pushes, (batch) => store.open(batch.map(({ push }) => push)))
  const closed = await measure('closed', pushes, store.close)
  await db.destroy()
  return { bare, whole, opened, closed }
}

/** Whole rows for `ms`, of an app of their own, so that they can be counted. Marks the begin. */
export async function pushLogWriter(settings: {
  databaseUrl: string
  appId: string
  ms: number
}): Promise<Written> {
  const db = openDatabase(settings.databaseUrl, { poolSize: 1 })
  const store = createPushLogStore(db)
  await store.close(anyBatch())
  await mark('begin')
  const written = await writeFor(store, settings.ms, settings.appId)
  await db.destroy()
  return written
}

async function writeFor(store: PushLogStore, ms: number, appId: string): Promise<Written> {
  const times: number[] = []
  const begin = performance.now()
  while (performance.now() < begin + ms) {
    const batch = anyBatch().map(({ push, result }) => ({ push: { ...push, appId }, result }))
    const since = performance.now()
    await store.close(batch)
    times.push(performance.now() - since)
  }
  return summaryOf(times, performance.now() - begin)
}

async function measure(
  name: string,
  batches: readonly Ended[][],
  write: (batch: Ended[]) => Promise<void>,
): Promise<Written> {
  const times: number[] = []
  await mark(`${name} begins`)
  const begin = performance.now()
  for (const batch of batches) {
    const since = performance.now()
    await write(batch)
    times.push(performance.now() - since)
  }
  const took = performance.now() - begin
  await mark(`${name} ends`)
  return summaryOf(times, took)
}

function summaryOf(times: readonly number[], ms: number): Written {
  const rows = times.length * BATCH
  return { rows, perSecond: (rows / ms) * 1_000, batchMs: summarize(times) }
}

const anyBatch = (): Ended[] =>
  Array.from({ length: BATCH }, () => {
    const push = anyPush()
    return { push, result: endOf(push) }
  })

function anyPush(): Push {
  const now = Date.now()
  const extension = anyExtension()
  const tenant = Math.floor(extension / (EXTENSIONS / TENANTS))
  return {
    id: newId(),
    tenantId: tenantId(tenant),
    licenseId: licenseId(tenant),
    kind: 'call',
    provider: 'apns',
    environment: 'production',
    tokenKind: 'apns_voip',
    privacy: 'full',
    appId: 'default',
    token: '',
    tokenHash: hash('sha256', tokenSeed(extension, Math.floor(Math.random() * TOKENS_EACH))),
    deviceId: newId(),
    extension: String(100 + (extension % (EXTENSIONS / TENANTS))),
    content: { callId: `${randomBytes(16).toString('hex')}@10.0.0.5`, callUuid: newId(), callerId: '' },
    acceptedAt: now,
    expiresAt: now + 30_000,
  }
}

function endOf({ id, acceptedAt }: Push): PushResult {
  const isAccepted = Math.random() < 0.97
  return {
    id,
    state: isAccepted ? 'delivered' : 'token_dead',
    attempts: 1,
    providerStatus: isAccepted ? 200 : 410,
    ...(isAccepted ? { providerId: newId() } : { reason: 'Unregistered', tokenState: 'dead' }),
    startedAt: acceptedAt,
    sentAt: acceptedAt + 1,
    answeredAt: acceptedAt + 40,
    closedAt: acceptedAt + 41,
  }
}
