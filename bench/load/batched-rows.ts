import { randomBytes } from 'node:crypto'
import { openDatabase } from '../../src/db/database.ts'
import { newId } from '../../src/lib/ids.ts'
import type { Push } from '../../src/push/push.ts'
import { createPushLogStore } from '../../src/push/push-log-store.ts'
import { mark } from './marks.ts'
import { type Summary, summarize } from './summary.ts'

const ROWS = 500

/** The least that rows cost: full batches, committed one after another. */
export async function batchedRows(settings: {
  databaseUrl: string
  batches: number
}): Promise<{ rows: number; batchMs: Summary }> {
  const db = openDatabase(settings.databaseUrl, { poolSize: 1 })
  const store = createPushLogStore(db)
  const tenantId = newId()
  const times: number[] = []
  await store.open(pushes(tenantId))
  await mark('begin')
  for (let i = 0; i < settings.batches; i += 1) {
    const batch = pushes(tenantId)
    const begin = performance.now()
    await store.open(batch)
    times.push(performance.now() - begin)
  }
  await mark('end')
  await db.destroy()
  return { rows: ROWS * settings.batches, batchMs: summarize(times) }
}

function pushes(tenantId: string): Push[] {
  const now = Date.now()
  return Array.from({ length: ROWS }, () => ({
    id: newId(),
    tenantId,
    kind: 'call',
    provider: 'apns',
    environment: 'production',
    tokenKind: 'apns_voip',
    privacy: 'full',
    appId: 'default',
    token: '',
    tokenHash: randomBytes(32).toString('hex'),
    content: { callId: `${randomBytes(8).toString('hex')}@floor`, callUuid: newId(), callerId: '' },
    acceptedAt: now,
    expiresAt: now + 30_000,
  }))
}
