import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { derivedId } from '../../src/lib/ids.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { DAY, HOUR } from '../../src/lib/units.ts'
import { type FlowpbxSource, openFlowpbx } from '../../src/license/import/flowpbx-store.ts'
import { importFlowpbx } from '../../src/license/import/import-flowpbx.ts'
import { createImportStore } from '../../src/license/import/import-store.ts'
import { createPushLogPartitionStore } from '../../src/push/push-log-partition-store.ts'
import { createPushLogStore } from '../../src/push/push-log-store.ts'
import { cloneDatabase, query, type TestDatabase } from '../support/databases.ts'
import { flowpbxDatabase } from '../support/flowpbx-database.ts'

const keyring = createKeyring(Buffer.alloc(32, 3))

let database: TestDatabase
let db: Knex
beforeEach(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url)
})
afterEach(async () => {
  await db.destroy()
  await database.drop()
})

interface Options {
  dryRun?: boolean
  pushLogDays?: number
  /** Stands between the import and what it reads. */
  through?: (source: FlowpbxSource) => Partial<FlowpbxSource>
}

async function runImport(url: string, { dryRun = false, pushLogDays = 30, through }: Options = {}) {
  await using source = await openFlowpbx(url)
  const deps = {
    store: createImportStore(db),
    pushLogStore: createPushLogStore(db),
    pushLogPartitions: createPushLogPartitionStore(db),
    keyring,
    clock: systemClock,
    pushLogDays,
    appId: 'default',
  }
  return await importFlowpbx(deps, { ...source, ...through?.(source) }, { dryRun })
}

/** Everything that an import may touch, to the letter. */
async function contents() {
  const tables = ['tenants', 'licenses', 'license_keys', 'installations', 'license_events', 'push_logs']
  const rows = await Promise.all(tables.map((table) => db(table).select('*').orderBy('id')))
  const { rows: relations } = await db.raw(
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY relname",
  )
  return { rows, relations }
}

const licenseIdOf = (key: string) => derivedId('flowpbx', 'license', keyring.licenseKeyHash(key))
const ALPHA = 'FPBX-8842-ALPHA-1177'
const BRAVO = 'FPBX-9911-BRAVO-2288'

describe('the oddities of a FlowPBX gateway', () => {
  test('come in as far as they can, and each that cannot is named by its number and never by its key', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    const report = await runImport(flowpbx.url)
    expect(report).toEqual({
      dry_run: false,
      licenses: {
        ...{ read: 13, created: 7, already_there: 0, skipped: 6 },
        reasons: [
          { reason: 'the key is empty', count: 2, ids: ['5', '6'] },
          { reason: 'max_extensions is no number of extensions', count: 1, ids: ['7'] },
          { reason: 'the key has more than 256 characters', count: 1, ids: ['8'] },
          { reason: 'an earlier row has the same key, written in another way', count: 1, ids: ['9'] },
          { reason: 'expires_at is no date of a calendar', count: 1, ids: ['10'] },
        ],
      },
      installations: {
        ...{ read: 15, created: 8, already_there: 0, skipped: 7 },
        reasons: expect.arrayContaining([
          { reason: 'an earlier row has the same instance_id', count: 1, ids: ['5'] },
          { reason: 'the hostname is empty', count: 2, ids: ['10', '9'] },
          { reason: 'the hostname has more than 255 characters', count: 1, ids: ['11'] },
          { reason: 'neither activated_at nor last_seen_at is a date of a calendar', count: 1, ids: ['12'] },
          { reason: 'its licence was not imported', count: 2, ids: ['13', '14'] },
        ]),
      },
      push_logs: {
        ...{ read: 16, created: 5, already_there: 0, skipped: 11 },
        reasons: [
          { reason: 'older than the 30 days of the push log here', count: 3, ids: [] },
          { reason: 'the platform is neither fcm nor apns', count: 2, ids: ['8', '9'] },
          { reason: 'its licence was not imported', count: 3, ids: ['10', '11', '12'] },
          { reason: 'created_at is no date of a calendar', count: 2, ids: ['13', '15'] },
          { reason: 'created_at is in the future', count: 1, ids: ['14'] },
        ],
      },
      differing: 0,
      differences: [],
    })
    const written = JSON.stringify([report, await contents()])
    for (const key of [ALPHA, BRAVO, 'FPBX-7755-ENDED-3399', 'FPBX-6666-MINUS-0001', 'no-such-key']) {
      expect(written).not.toContain(key)
    }
  })

  test('licences keep their terms, get what FlowPBX did not limit, a tenant and an event', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    await runImport(flowpbx.url)
    const rows = await db('licenses')
      .join('tenants', 'tenants.id', 'licenses.tenant_id')
      .join('license_keys', 'license_keys.license_id', 'licenses.id')
      .select('licenses.*', 'tenants.name', 'license_keys.key_hash', 'license_keys.key_prefix')
    const of = (key: string) => rows.find(({ key_hash }) => key_hash === keyring.licenseKeyHash(key))
    expect(rows).toHaveLength(7)
    expect(of(ALPHA)).toMatchObject({
      id: licenseIdOf(ALPHA),
      tier: 'standard',
      max_extensions: 25,
      max_installations: null,
      calls_per_day: null,
      entitlements: ['calls', 'messages', 'webhooks', 'offline'],
      expires_at: null,
      created_at: new Date('2025-03-01T10:00:00.123Z'),
      name: 'FlowPBX FPBX-8',
      key_prefix: 'FPBX-8',
    })
    const [there] = await query(flowpbx.url, 'SELECT expires_at FROM licenses WHERE id = 2')
    expect(of(BRAVO)).toMatchObject({ tier: 'pro', max_extensions: 250, expires_at: there?.expires_at })
    expect(of('short')).toMatchObject({ tier: 'Größer & besser 🚀', max_extensions: 0, expires_at: null })
    expect(of('FPBX-1111-ZEROT-6666')?.expires_at.getTime()).toBe(Date.parse('0001-01-01T00:00:00Z'))
    expect(of('FPBX-1212-FARAW-7777')?.expires_at).toBeNull()
    expect(of('11111111-2222-4333-8444-555555555555')).toMatchObject({
      tier: '',
      max_extensions: 2_147_483_647,
    })
    expect(new Set(rows.map(({ tenant_id }) => tenant_id)).size).toBe(7)

    const events = await db('license_events')
      .select('*')
      .where({ license_id: licenseIdOf(BRAVO) })
    expect(events).toMatchObject([
      { action: 'imported', actor: 'shell', details: { source: 'flowpbx', source_id: '2', tier: 'pro' } },
    ])
    expect(await db('license_events').where({ action: 'imported' })).toHaveLength(7)
  })

  test('a machine that was activated again and again has one seat: the one seen last', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    await runImport(flowpbx.url)
    const rows = await db('installations')
      .select('*')
      .where({ license_id: licenseIdOf(ALPHA) })
    const seatOf = (identity: string) =>
      rows.filter((row) => row.identity === identity && row.deactivated_at === null)
    expect(seatOf('host:pbx1')).toMatchObject([
      { id: 'aaaaaaaa-0000-4000-8000-000000000002', hostname: 'PBX1', version: '1.1.0' },
    ])
    expect(seatOf('host:pbx2')).toMatchObject([{ id: 'aaaaaaaa-0000-4000-8000-000000000004', version: '' }])
    expect(seatOf('host:über-pbx')).toMatchObject([{ hostname: 'über-pbx', version: '9'.repeat(64) }])
    expect(
      rows
        .filter(({ deactivated_why }) => deactivated_why === 'dead')
        .map(({ hostname }) => hostname)
        .sort(),
    ).toEqual(['Pbx1', 'pbx1', 'ÜBER-pbx'])
    const [there] = await query(
      flowpbx.url,
      'SELECT last_seen_at, activated_at FROM installations WHERE id = 2',
    )
    expect(seatOf('host:pbx1')[0]).toMatchObject(there ?? {})
    // The same host name with another licence is another machine.
    expect(await db('installations').where({ license_id: licenseIdOf(BRAVO) })).toMatchObject([
      { id: 'aaaaaaaa-0000-4000-8000-000000000015', deactivated_at: null },
    ])
  })

  test('pushes come into the partition of their day, and their errors without tokens and keys', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    await runImport(flowpbx.url)
    const rows = await db('push_logs').select('*').orderBy('accepted_at', 'desc')
    expect(rows.map(({ call_id }) => call_id.slice(0, 6))).toEqual([
      'call-1',
      'call-1',
      'call-2',
      'cccccc',
      '',
    ])
    expect(new Set(rows.map(({ id }) => id)).size).toBe(5)
    const [one, , two, long, silent] = rows
    const [there] = await query(flowpbx.url, 'SELECT created_at FROM push_logs WHERE id = 1')
    expect(one).toMatchObject({
      tenant_id: derivedId('flowpbx', 'tenant', keyring.licenseKeyHash(ALPHA)),
      license_id: licenseIdOf(ALPHA),
      kind: 'call',
      provider: 'fcm',
      state: 'delivered',
      reason: 'imported',
      detail: null,
      token_hash: keyring.tokenHash(''),
      accepted_at: there?.created_at,
      closed_at: there?.created_at,
    })
    expect(two).toMatchObject({
      provider: 'apns',
      state: 'failed',
      detail: 'apns: Post "https://api.push.apple.com/[removed]": 410 Unregistered',
    })
    expect(long).toMatchObject({
      state: 'failed',
      call_id: 'c'.repeat(256),
      detail: 'license [removed]: token [removed] not registered',
    })
    expect(silent).toMatchObject({ state: 'delivered', detail: null })
    const { rows: strays } = await db.raw('SELECT id FROM push_logs_default')
    expect(strays).toEqual([])
  })
})

describe('an import', () => {
  test('that runs again changes nothing', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    const first = await runImport(flowpbx.url)
    const before = await contents()
    const second = await runImport(flowpbx.url)
    for (const table of ['licenses', 'installations', 'push_logs'] as const) {
      expect(second[table]).toEqual({ ...first[table], created: 0, already_there: first[table].created })
    }
    expect(await contents()).toEqual(before)
  })

  test('on trial writes nothing at all, and counts as the real one does', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    const before = await contents()
    const trial = await runImport(flowpbx.url, { dryRun: true })
    expect(await contents()).toEqual(before)
    const real = await runImport(flowpbx.url)
    expect(trial).toEqual({ ...real, dry_run: true })
    expect(await runImport(flowpbx.url, { dryRun: true })).toEqual({
      ...(await runImport(flowpbx.url)),
      dry_run: true,
    })
  })

  test('takes nothing back that was changed here, and says what differs', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    await runImport(flowpbx.url)
    const id = licenseIdOf(ALPHA)
    await db('licenses').where({ id }).update({ tier: 'custom', max_extensions: 40, revoked_at: new Date() })
    await db('installations').where({ license_id: id }).whereNull('deactivated_at').update({ version: '9.9' })
    await query(flowpbx.url, "UPDATE licenses SET expires_at = now() + interval '9 days' WHERE id = 2")
    const before = await contents()
    const report = await runImport(flowpbx.url)
    expect(report).toMatchObject({
      differing: 2,
      differences: [
        { id: '1', license_id: id, fields: ['tier', 'max_extensions'] },
        { id: '2', license_id: licenseIdOf(BRAVO), fields: ['expires_at'] },
      ],
    })
    expect(await contents()).toEqual(before)
  })

  test('finds a licence whose key was rotated or whose key is another licence’s here', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    await runImport(flowpbx.url)
    const [alpha, bravo] = [licenseIdOf(ALPHA), licenseIdOf(BRAVO)]
    await db('license_keys').where({ license_id: alpha }).del()
    await db('license_keys').where({ license_id: bravo }).update({ license_id: alpha })
    const before = await contents()
    const report = await runImport(flowpbx.url)
    expect(report.licenses).toMatchObject({ created: 0, already_there: 7 })
    // Its pushes and installations belong to whom its key belongs to now; those of before stay where they are.
    expect(report.installations.reasons).toContainEqual({
      reason: 'another licence has an installation of this instance_id',
      count: 1,
      ids: ['15'],
    })
    expect(await contents()).toEqual(before)
  })

  test('brings in what is new since the last time, and leaves the seat to the machine that has it here', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    await runImport(flowpbx.url)
    await query(
      flowpbx.url,
      `INSERT INTO installations (license_id, instance_id, hostname, version, activated_at, last_seen_at)
         VALUES (1, 'bbbbbbbb-0000-4000-8000-000000000001', 'pbx1', '3', now(), now()),
                (1, 'bbbbbbbb-0000-4000-8000-000000000002', 'pbx9', '3', now(), now());
       INSERT INTO licenses (key) VALUES ('FPBX-NEW-ONE');
       INSERT INTO push_logs (license_key, platform, call_id, success, created_at)
         VALUES ('FPBX-NEW-ONE', 'fcm', 'new@x', true, now())`,
    )
    const report = await runImport(flowpbx.url)
    expect([report.licenses.created, report.installations.created, report.push_logs.created]).toEqual([
      1, 2, 1,
    ])
    const rows = await db('installations')
      .select('id', 'deactivated_why')
      .where({ license_id: licenseIdOf(ALPHA) })
      .whereIn('identity', ['host:pbx1', 'host:pbx9'])
      .whereLike('version', '3')
      .orderBy('id')
    expect(rows).toEqual([
      { id: 'bbbbbbbb-0000-4000-8000-000000000001', deactivated_why: 'dead' },
      { id: 'bbbbbbbb-0000-4000-8000-000000000002', deactivated_why: null },
    ])
  })

  test('of two gateways whose rows have the same numbers mixes nothing up', async () => {
    await using first = await flowpbxDatabase()
    await using second = await flowpbxDatabase()
    const fill = (url: string, key: string) =>
      query(
        url,
        `INSERT INTO licenses (key) VALUES ('${key}');
         INSERT INTO installations (license_id, instance_id, hostname, activated_at, last_seen_at)
           VALUES (1, 'instance-1', 'pbx', now(), now());
         INSERT INTO push_logs (license_key, platform, call_id, success, created_at)
           VALUES ('${key}', 'fcm', 'same@x', true, date_trunc('hour', now()))`,
      )
    await fill(first.url, 'key-of-the-first-one')
    await fill(second.url, 'key-of-the-second-one')
    for (const { url } of [first, second]) {
      const report = await runImport(url)
      expect([report.licenses.created, report.installations.created, report.push_logs.created]).toEqual([
        1, 1, 1,
      ])
    }
  })
})

/** Pushes of the last ten days, more than one batch. */
async function flowpbxWithPushes(count: number) {
  const flowpbx = await flowpbxDatabase('oddities')
  await query(
    flowpbx.url,
    `INSERT INTO push_logs (license_key, platform, call_id, success, error, created_at)
     SELECT CASE n % 2 WHEN 0 THEN '${ALPHA}' ELSE '${BRAVO}' END, CASE n % 3 WHEN 0 THEN 'apns' ELSE 'fcm' END,
       'call-' || n, n % 5 > 0, CASE n % 5 WHEN 0 THEN 'context deadline exceeded' ELSE '' END,
       now() - (n % 864000) * interval '1 second'
     FROM generate_series(1, ${count}) AS n`,
  )
  return flowpbx
}

describe('an import that does not come to its end', () => {
  class Broken extends Error {}
  /** Breaks when it has given that many batches. */
  async function* breaksAfter<T>(batches: number, rows: AsyncIterable<T>): AsyncIterable<T> {
    let given = 0
    for await (const batch of rows) {
      if (given === batches) throw new Broken()
      given += 1
      yield batch
    }
  }

  test.each(['licenses', 'installations', 'pushLogs'] as const)(
    'at its %s is finished by the next one',
    async (step) => {
      await using flowpbx = await flowpbxWithPushes(4_000)
      const expected = await runImport(flowpbx.url, { dryRun: true })
      const through = (source: FlowpbxSource): Partial<FlowpbxSource> => {
        const batches = step === 'pushLogs' ? 2 : 0
        if (step === 'pushLogs') return { pushLogs: (since) => breaksAfter(batches, source.pushLogs(since)) }
        return step === 'licenses'
          ? { licenses: () => breaksAfter(batches, source.licenses()) }
          : { installations: () => breaksAfter(batches, source.installations()) }
      }
      await expect(runImport(flowpbx.url, { through })).rejects.toThrow(Broken)
      // The first of its batches has 8 rows that cannot come in.
      const written = Number((await db('push_logs').count('id as n').first())?.n)
      expect(written).toBe(step === 'pushLogs' ? 1_992 : 0)
      const report = await runImport(flowpbx.url)
      for (const table of ['licenses', 'installations', 'push_logs'] as const) {
        const { created, already_there } = report[table]
        expect(created + already_there).toBe(expected[table].created)
        expect(Number((await db(table).count('id as n').first())?.n)).toBe(expected[table].created)
      }
    },
  )

  test('because its connection breaks says so in a sentence, and the next one finishes', async () => {
    await using flowpbx = await flowpbxWithPushes(3_000)
    const through = (source: FlowpbxSource): Partial<FlowpbxSource> => ({
      async *pushLogs(since) {
        for await (const batch of source.pushLogs(since)) {
          yield batch
          await query(
            flowpbx.url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wakeline import' AND datname = current_database()",
          )
        }
      },
    })
    await expect(runImport(flowpbx.url, { through })).rejects.toThrow(/^the FlowPBX database cannot be read/)
    const report = await runImport(flowpbx.url)
    expect(report.push_logs).toMatchObject({ created: 2_013, already_there: 992 })
  })

  test('while another one runs leaves nothing twice', async () => {
    await using flowpbx = await flowpbxWithPushes(2_000)
    const reports = await Promise.all([1, 2, 3].map(() => runImport(flowpbx.url)))
    for (const table of ['licenses', 'installations'] as const) {
      const created = reports.reduce((sum, report) => sum + report[table].created, 0)
      expect(created).toBe(Number((await db(table).count('id as n').first())?.n))
    }
    expect(Number((await db('push_logs').count('id as n').first())?.n)).toBe(2_005)
    const before = await contents()
    await runImport(flowpbx.url)
    expect(await contents()).toEqual(before)
  })
})

test('100,000 pushes come in batches, all of one moment', async () => {
  await using flowpbx = await flowpbxWithPushes(100_000)
  let largest = 0
  const through = (source: FlowpbxSource): Partial<FlowpbxSource> => ({
    async *pushLogs(since) {
      // What FlowPBX writes meanwhile is left to the next import.
      await query(
        flowpbx.url,
        `INSERT INTO push_logs (license_key, platform, call_id, created_at) VALUES ('${ALPHA}', 'fcm', 'late', now())`,
      )
      for await (const batch of source.pushLogs(since)) {
        largest = Math.max(largest, batch.length)
        yield batch
      }
    },
  })
  const report = await runImport(flowpbx.url, { through })
  expect(report.push_logs.created).toBe(100_005)
  expect(largest).toBe(1_000)
  expect((await runImport(flowpbx.url)).push_logs).toMatchObject({ created: 1, already_there: 100_005 })
}, 180_000)

describe('only the days that the push log keeps', () => {
  test.each([1, 3, 3_650])('%i days', async (pushLogDays) => {
    await using flowpbx = await flowpbxDatabase()
    await query(flowpbx.url, `INSERT INTO licenses (key) VALUES ('${ALPHA}')`)
    const hours = [0, 12, 23, 25, 71, 73, 24 * 365]
    for (const hour of hours) {
      await query(
        flowpbx.url,
        `INSERT INTO push_logs (license_key, platform, call_id, success, created_at)
         VALUES ('${ALPHA}', 'fcm', 'h${hour}', true, now() - interval '${hour} hours')`,
      )
    }
    const young = hours.filter((hour) => hour * HOUR < pushLogDays * DAY)
    const report = await runImport(flowpbx.url, { pushLogDays })
    expect(report.push_logs).toMatchObject({ created: young.length, skipped: hours.length - young.length })
    const rows = await db('push_logs').select('call_id')
    expect(rows.map(({ call_id }) => call_id).sort()).toEqual(young.map((hour) => `h${hour}`).sort())
  })
})

describe('a database that is none of FlowPBX', () => {
  test('is refused in one sentence, without the password', async () => {
    await using empty = await flowpbxDatabase()
    await query(empty.url, 'ALTER TABLE push_logs DROP COLUMN license_key')
    const elsewhere = new URL(empty.url)
    elsewhere.port = '1'
    const nobody = new URL(empty.url)
    nobody.password = 'open-sesame'
    nobody.username = 'nobody-at-all'
    const unknown = new URL(empty.url)
    unknown.pathname = '/no_such_database'
    for (const [url, sentence] of [
      [empty.url, 'this is no database of a FlowPBX gateway: it has no push_logs.license_key'],
      [database.url, 'this is no database of a FlowPBX gateway: it has no licenses.key'],
      [elsewhere.href, 'the FlowPBX database cannot be reached (ECONNREFUSED)'],
      [nobody.href, 'the FlowPBX database cannot be reached (28'],
      [unknown.href, 'the FlowPBX database cannot be reached (3D000)'],
      ['mysql://root:open-sesame@localhost/x', 'the DSN must be a URL like'],
      ['host=localhost password=open-sesame', 'the DSN must be a URL like'],
      ['', 'the DSN must be a URL like'],
    ] as const) {
      const error = await openFlowpbx(url).then(
        () => undefined,
        (thrown: Error) => thrown,
      )
      expect(error).toMatchObject({ name: 'StartError', message: expect.stringContaining(sentence) })
      expect(error?.message).not.toMatch(/sesame/)
      expect(error?.message).not.toContain(new URL(empty.url).password)
    }
  })

  test('nothing is ever written there', async () => {
    await using flowpbx = await flowpbxDatabase('oddities')
    const digest = async () => {
      const tables = ['licenses', 'installations', 'push_logs', 'schema_migrations']
      const rows = await Promise.all(
        tables.map((table) => query(flowpbx.url, `SELECT t::text FROM ${table} t ORDER BY 1`)),
      )
      return createHash('sha256').update(JSON.stringify(rows)).digest('hex')
    }
    const before = await digest()
    await runImport(flowpbx.url)
    expect(await digest()).toBe(before)
  })
})
