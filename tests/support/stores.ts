import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Backend } from '../../src/config/config.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { openJobQueues } from '../../src/queue/job-queues.ts'
import type { QueueName } from '../../src/queue/jobs.ts'
import { type Processors, runWorkers } from '../../src/queue/run-workers.ts'
import { openTransport } from '../../src/transport.ts'
import { cloneDatabase } from './databases.ts'
import { testConfig } from './gateway.ts'

/** The signals of two processes over the same store. */
export async function openSignals(backend: Backend) {
  const releaser = createReleaser()
  const database = releaser.add(await cloneDatabase(), (open) => open.drop())
  const { config, secrets } = testConfig(
    { backend, env: { QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}` } },
    database.url,
  )
  const errors: Error[] = []
  const open = () =>
    openTransport(
      config,
      { ...secrets, databaseUrl: database.url },
      releaser,
      () => (error) => errors.push(error),
    )
  const [one, two] = [await open(), await open()]
  return {
    one: one.signals,
    two: two.signals,
    database,
    errors,
    [Symbol.asyncDispose]: () => releaser.release(),
  }
}

/** The queue of one process with processors of the test's own. */
export async function openQueue(backend: Backend, processors: Processors) {
  const releaser = createReleaser()
  const database = releaser.add(await cloneDatabase(), (open) => open.drop())
  const { config, secrets } = testConfig({ backend }, database.url)
  const errors: Error[] = []
  const onError = (error: Error) => void errors.push(error)
  const transport = await openTransport(
    config,
    { ...secrets, databaseUrl: database.url },
    releaser,
    () => onError,
  )
  const queues = releaser.add(openJobQueues(transport.queueBackend, onError), (open) => open.close())
  const work = () => {
    const workers = runWorkers(processors, transport.queueBackend, {
      lanes: ['calls', 'messages'],
      concurrency: 8,
      onError,
    })
    releaser.add(workers, (open) => open.close(2_000))
  }
  /** All that is completed was so much earlier. */
  const age = async (name: QueueName, ms: number) => {
    if (secrets.redisUrl !== undefined) {
      const redis = releaser.add(new Redis(secrets.redisUrl), (open) => open.disconnect())
      const key = `${config.queue.prefix}:${name}:completed`
      for (const id of await redis.zrange(key, '0', '-1')) await redis.zincrby(key, -ms, id)
      return
    }
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query(
      "UPDATE bullmq.job SET finished_at_ms = finished_at_ms - $2 WHERE queue = $1 AND state = 'completed'",
      [name, ms],
    )
    await client.end()
  }
  return { queues, work, age, errors, database, [Symbol.asyncDispose]: () => releaser.release() }
}
