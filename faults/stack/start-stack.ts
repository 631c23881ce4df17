import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openDatabase } from '../../src/db/database.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { createLicenseRecords } from '../../src/license/license-records-store.ts'
import { ENTITLEMENTS } from '../../src/license/tiers.ts'
import { migrateDatabase } from '../../src/migrate-database.ts'
import type { Lane } from '../../src/push/push-kinds.ts'
import { environmentFor } from '../../src/simulators/simulator-environment.ts'
import { startSimulators } from '../../src/simulators/simulators.ts'
import { API_PROGRAM, CALL_WORKER_PROGRAM, MESSAGE_WORKER_PROGRAM } from '../../tests/support/cluster.ts'
import { temporaryDirectory } from '../../tests/support/temporary-directory.ts'
import { openDurablePostgres } from './durable-postgres.ts'
import { openDurableRedis } from './durable-redis.ts'
import { openPost, type Post, type Roster } from './post.ts'

export interface StackOptions {
  /** `absent`: the programs start without it. */
  redis?: 'running' | 'absent'
  /** What runs at the posts of a lane at first, in place of the usual workers; `directory` is the stack's own. */
  workers?: Partial<Record<Lane, (directory: string, post: number) => readonly string[]>>
}

export type Stack = Awaited<ReturnType<typeof startStack>>

const POSTS = 2
const PROGRAMS: Record<Lane, readonly string[]> = {
  calls: CALL_WORKER_PROGRAM,
  messages: MESSAGE_WORKER_PROGRAM,
}

/**
 * A cluster in processes of its own: two APIs, two workers of calls, two of messages, a Redis and a PostgreSQL that keep what they
 * promised to keep. The vendors are simulated in this process, which writes down all that reaches them.
 */
export async function startStack({ redis: redisIs = 'running', workers = {} }: StackOptions = {}) {
  await using opened = new AsyncDisposableStack()
  const { path: directory } = opened.use(await temporaryDirectory())
  const simulators = opened.use(await startSimulators({ directory: join(directory, 'simulators') }))
  const postgres = opened.use(await openDurablePostgres())
  const redis = opened.use(await openDurableRedis())
  const secret = randomBytes(32)
  const [tenant] = await Promise.all([
    prepareDatabase(postgres.url, secret),
    redisIs === 'running' ? redis.start() : undefined,
  ])

  const env = {
    ...environmentFor(simulators),
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    WAKELINE_SECRET: secret.toString('hex'),
    PORT: '0',
    METRICS_PORT: '0',
  }
  const roster: Roster = { programs: [], exits: [] }
  const openPosts = (name: string, args: readonly string[], ready: string, lane?: Lane): Post[] =>
    Array.from({ length: POSTS }, () =>
      opened.use(openPost({ name, args, env, ready, ...(lane && { lane }) }, roster)),
    )
  const openWorkers = (lane: Lane) =>
    openPosts(`worker of ${lane}`, PROGRAMS[lane], 'workers are ready', lane)
  const apis = openPosts('api', API_PROGRAM, 'api is ready')
  const posts = { calls: openWorkers('calls'), messages: openWorkers('messages') }
  await Promise.all([
    ...apis.map((post) => post.start()),
    ...posts.calls.map((post, index) => post.start(workers.calls?.(directory, index))),
    ...posts.messages.map((post, index) => post.start(workers.messages?.(directory, index))),
  ])
  const urls = await Promise.all(
    apis.map(async ({ program }) => String((await program.logged('api is ready')).url)),
  )

  const running = opened.move()
  return {
    directory,
    simulators,
    postgres,
    redis,
    apis,
    workers: posts,
    urls,
    tenant,
    roster,
    /** Everybody is told to stop. */
    stop: () => Promise.all([...apis, ...posts.calls, ...posts.messages].map((post) => post.stop())),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function prepareDatabase(url: string, secret: Uint8Array) {
  await migrateDatabase(url)
  const db = openDatabase(url, { poolSize: 1 })
  try {
    return await createTenant(
      { licenseRecords: createLicenseRecords(db), keyring: createKeyring(secret), clock: systemClock },
      { name: 'faults', tier: 'custom', maxExtensions: 100_000, entitlements: ENTITLEMENTS },
    )
  } finally {
    await db.destroy()
  }
}
