import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../support/conditions.ts'
import { cloneDatabase, query } from '../support/databases.ts'
import { flowpbxDatabase } from '../support/flowpbx-database.ts'
import { BACKENDS, fcmToken, startTestGateway } from '../support/gateway.ts'
import { startProgram } from '../support/program.ts'
import { sharedRedisUrl } from '../support/redis-server.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const ALPHA = 'FPBX-8842-ALPHA-1177'

type Environment = Record<string, string>
const environment = (url: string, WAKELINE_SECRET = randomBytes(32).toString('hex')): Environment => ({
  DATABASE_URL: url,
  REDIS_URL: sharedRedisUrl(),
  QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}`,
  WAKELINE_SECRET,
})
const start = (env: Environment, ...words: string[]) =>
  startProgram('cli', { args: ['import', 'flowpbx', ...words], env })
const run = async (env: Environment, ...words: string[]) => {
  await using program = start(env, ...words)
  return await program.exited
}

test.each(BACKENDS)(
  'on %s the PBXes of a FlowPBX gateway go on with the same keys',
  async (backend) => {
    const secret = randomBytes(32).toString('hex')
    await using gateway = await startTestGateway({ backend, env: { WAKELINE_SECRET: secret } })
    await using flowpbx = await flowpbxDatabase('oddities')
    const { code, stdout } = await run(
      environment(gateway.database.url, secret),
      '--dsn',
      flowpbx.url,
      '--json',
    )
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ dry_run: false, licenses: { read: 13, created: 7 } })

    const push = await gateway.push({ license_key: ALPHA, push_platform: 'fcm', push_token: fcmToken() })
    expect(push).toMatchObject({ status: 200, json: { data: { delivered: true } } })
    const valid = await gateway.request('POST', '/v1/license/validate', { body: { license_key: ALPHA } })
    expect(valid.json.data).toMatchObject({ valid: true, tier: 'standard', max_extensions: 25 })
    expect(valid.json.data).not.toHaveProperty('expires_at')

    // The seat of a machine that FlowPBX knew is its own here, too; a new machine finds one.
    const activate = (hostname: string) =>
      gateway.request('POST', '/v1/license/activate', {
        body: { license_key: ALPHA, hostname, version: '2' },
      })
    expect((await activate('pbx1')).json.data.instance_id).toBe('aaaaaaaa-0000-4000-8000-000000000002')
    expect((await activate('pbx77')).status).toBe(200)

    const ended = await gateway.request('POST', '/v1/license/validate', {
      body: { license_key: 'FPBX-7755-ENDED-3399' },
    })
    expect(ended).toMatchObject({ status: 404, json: { code: 'EXPIRED' } })
    const never = await gateway.request('GET', '/v1/license/status', {
      headers: { 'x-license-key': 'short' },
    })
    expect(never.json.data).toMatchObject({ key: 'short', tier: 'Größer & besser 🚀', active: true })

    // What was pushed there stands in the log beside what was pushed here.
    const log = await gateway.pushLog()
    expect(log.filter(({ reason }) => reason === 'imported')).toHaveLength(5)
    const again = JSON.parse(
      (await run(environment(gateway.database.url, secret), '--dsn', flowpbx.url, '--json')).stdout,
    )
    expect([again.licenses.created, again.installations.created, again.push_logs.created]).toEqual([0, 0, 0])
  },
  120_000,
)

test('the command tells people what it did, and what it would do', async () => {
  await using database = await cloneDatabase()
  await using flowpbx = await flowpbxDatabase('oddities')
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'dsn')
  await writeFile(file, `${flowpbx.url}\n`)
  const env = environment(database.url)
  const trial = await run(env, '--dsn-file', file, '--dry-run')
  expect(trial).toMatchObject({ code: 0, stderr: '' })
  expect(trial.stdout).toContain('This was a dry run: nothing was written, and 20 rows would be.')
  expect(await query(database.url, 'SELECT id FROM tenants')).toEqual([])

  const real = await run(env, '--dsn-file', file)
  expect(real.stdout).toMatch(/^licenses +13 +7 +0 +6$/m)
  expect(real.stdout).toMatch(/^installations +15 +8 +0 +7$/m)
  expect(real.stdout).toMatch(/^push_logs +16 +5 +0 +11$/m)
  expect(real.stdout).toContain('skipped 2 of licenses: the key is empty (rows 5, 6)')
  expect(real.stdout).toContain('Done: 20 rows were written.')
  await query(database.url, "UPDATE licenses SET tier = 'custom' WHERE tier = 'pro'")
  const again = await run(env, '--dsn-file', file)
  expect(again.stdout).toMatch(/^licenses +13 +0 +7 +6$/m)
  expect(again.stdout).toMatch(
    /^licence 2 is here as [0-9a-f-]{36}, and differs in tier: it stays as it is here$/m,
  )
  expect(again.stdout).toContain('Nothing was changed: there is nothing new.')
}, 120_000)

test('an import that is killed is finished by the next one', async () => {
  await using database = await cloneDatabase()
  await using flowpbx = await flowpbxDatabase('oddities')
  await query(
    flowpbx.url,
    `INSERT INTO push_logs (license_key, platform, call_id, success, created_at)
     SELECT '${ALPHA}', 'fcm', 'call-' || n, true, now() - (n % 9) * interval '1 day' FROM generate_series(1, 100000) AS n`,
  )
  const env = environment(database.url)
  const written = async () => {
    const [row] = await query(database.url, 'SELECT count(*)::int AS n FROM push_logs')
    return Number(row?.n)
  }
  await using program = start(env, '--dsn', flowpbx.url)
  await until(written, { description: 'the first batches are there' })
  program.kill('SIGKILL')
  expect((await program.exited).signal).toBe('SIGKILL')
  const before = await written()
  expect(before).toBeLessThan(100_005)
  const { code, stdout } = await run(env, '--dsn', flowpbx.url, '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout).push_logs).toMatchObject({ created: 100_005 - before, already_there: before })
  expect(await written()).toBe(100_005)
}, 120_000)

test('what cannot be done is told in one sentence, without the password', async () => {
  await using database = await cloneDatabase()
  await using flowpbx = await flowpbxDatabase()
  await using directory = await temporaryDirectory()
  const env = environment(database.url)
  const wrong = new URL(flowpbx.url)
  wrong.password = 'open-sesame'
  wrong.username = 'nobody-at-all'
  for (const [words, sentence] of [
    [[], '--dsn or --dsn-file is required'],
    [['--dsn', flowpbx.url, '--dsn-file', 'x'], '--dsn and --dsn-file exclude each other'],
    [['--dsn-file', join(directory.path, 'none')], '--dsn-file names a file that cannot be read (ENOENT)'],
    [['--dsn', wrong.href], 'the FlowPBX database cannot be reached'],
  ] as const) {
    const { code, stdout, stderr } = await run(env, ...words)
    expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({ code: 1, stdout: '', lines: 2 })
    expect(stderr).toMatch(/^wakeline: /)
    expect(stderr).toContain(sentence)
    expect(stderr).not.toContain('sesame')
  }
}, 120_000)
