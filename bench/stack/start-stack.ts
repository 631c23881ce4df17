import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase } from '../../src/db/database.ts'
import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { startPostgresServer } from '../../src/embedded/postgres-server.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { createLicenseRecords } from '../../src/license/license-records-store.ts'
import { ENTITLEMENTS } from '../../src/license/tiers.ts'
import { migrateDatabase } from '../../src/migrate-database.ts'
import { guardProcess } from '../../tests/support/guard.ts'
import { startRedisServer } from '../../tests/support/redis-server.ts'
import { temporaryDirectory } from '../../tests/support/temporary-directory.ts'
import { startApi } from './api-process.ts'
import { startGoogle } from './google.ts'
import { startNodeProcess } from './node-process.ts'
import { startRecorder } from './recorder.ts'

/** Of the licence: its rate limits follow from it, and the bench measures the gateway, not its refusals. */
const MANY_EXTENSIONS = 1_000_000

export type Stack = Awaited<ReturnType<typeof startStack>>

/**
 * A cluster of one API and one worker of calls, as processes of their own, with a Redis, a PostgreSQL of normal durability and
 * Apple's simulator.
 *
 * @param profileDirectory where API and worker write their processor profiles when they end
 * @param options.google whether there is Google's simulator, too
 */
export async function startStack(profileDirectory?: string, options: { google?: boolean } = {}) {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await temporaryDirectory())
  const directory = opened.use(await openDataDirectory(join(path, 'data')))
  const postgres = opened.use(await startPostgresServer({ directory, durability: 'safe' }))
  opened.defer(guardProcess(postgres.pid))
  const redis = opened.use(await startRedisServer())
  const recorder = opened.use(await startRecorder(join(path, 'simulator')))
  const google = options.google ? opened.use(await startGoogle(join(path, 'simulator'))) : undefined
  await migrateDatabase(postgres.url)

  const secret = randomBytes(32)
  const db = opened.adopt(openDatabase(postgres.url, { poolSize: 1 }), (open) => open.destroy())
  const tenant = await createTenant(
    { licenseRecords: createLicenseRecords(db), keyring: createKeyring(secret), clock: systemClock },
    { name: 'bench', tier: 'custom', maxExtensions: MANY_EXTENSIONS, entitlements: ENTITLEMENTS },
  )

  const env = {
    // All callers have one address here.
    APP_REQUESTS_PER_SECOND: '100000',
    ...recorder.ready.env,
    ...google?.env,
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    WAKELINE_SECRET: secret.toString('hex'),
    PORT: '0',
    METRICS_PORT: '0',
  }
  if (profileDirectory) await mkdir(profileDirectory, { recursive: true })
  const logOf = (name: string) => join(path, `${name}.log`)
  const profiling = (name: string) =>
    profileDirectory
      ? ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`, `--cpu-prof-name=${name}.cpuprofile`]
      : []
  const common = (name: string) => ({ env, log: logOf(name), nodeOptions: profiling(name) })
  const workerCommand = ['workers/main.ts', '--lane', 'calls']
  const worker = opened.use(
    await startNodeProcess({ ...common('worker'), command: workerCommand, ready: 'workers are ready' }),
  )
  const api = opened.use(await startApi(common('api')))

  const running = opened.move()
  return {
    postgres,
    redis,
    recorder,
    worker,
    api,
    db,
    tenant,
    port: api.port,
    google,
    env,
    logOf,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
