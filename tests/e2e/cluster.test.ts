import { randomBytes } from 'node:crypto'
import { constants, getPriority } from 'node:os'
import { SECOND } from '../../src/lib/units.ts'
import {
  API_PROGRAM,
  CALL_WORKER_PROGRAM,
  type Cluster,
  type ClusterOptions,
  inCluster,
  type Program,
  startProgram,
} from '../support/cluster.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase } from '../support/databases.ts'
import { apnsToken, BACKENDS, callId } from '../support/gateway.ts'
import { startRedisServer } from '../support/redis-server.ts'

describe.each(BACKENDS)('a cluster on %s', (backend) => {
  test('releases a hold on one API when the phone registers at another', async () => {
    await inCluster({ backend, apis: 2 }, async (cluster) => {
      const [a, b] = urlsOf(cluster)
      const releasedAfter: number[] = []
      for (const extension of ['100', '101', '102']) {
        const phone = await cluster.givenPhone(a, extension)
        const held = cluster.call(a, extension, { wait: 10 })
        await pushArrived(cluster, phone.token)

        const registeredAt = performance.now()
        const registered = await cluster.register(b, phone)
        const answer = await held
        releasedAfter.push(performance.now() - registeredAt)

        expect(registered.json.data).toEqual({ status: 'ok', counts: true })
        expect(answer.status).toBe(200)
        expect(answer.json.data).toMatchObject({
          outcome: 'registered',
          contacts: [{ device_id: phone.deviceId }],
        })
      }
      // Sooner than the poll that is there for lost messages: it was the message that released it. A busy machine is slow, but not
      // each time.
      expect(Math.min(...releasedAfter)).toBeLessThan(900)
    })
  })

  test('gives calls the processor before messages', async () => {
    await inCluster({ backend, messageWorkers: 1 }, async ({ apis, callWorkers, messageWorkers }) => {
      const priorities = (programs: readonly Program[]) => programs.map(({ pid }) => getPriority(pid))
      expect(new Set(priorities([...apis, ...callWorkers]))).toEqual(new Set([getPriority()]))
      const lower = Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL)
      expect(priorities(messageWorkers)).toEqual([lower])
    })
  })

  test('goes on with a call whose API was killed, on another one and without a second push', async () => {
    await inCluster({ backend, apis: 2 }, async (cluster) => {
      const [a, b] = urlsOf(cluster)
      const phone = await cluster.givenPhone(a, '100')
      const body = { call_id: callId() }
      const lost = cluster.call(a, '100', { wait: 10, body }).then(
        () => 'answered',
        () => 'connection lost',
      )
      await pushArrived(cluster, phone.token)
      cluster.apis[0]?.kill('SIGKILL')
      expect(await lost).toBe('connection lost')

      const held = cluster.call(b, '100', { wait: 10, body })
      await cluster.register(b, phone)
      const answer = await held
      expect(answer.json.data).toMatchObject({
        outcome: 'registered',
        call_id: body.call_id,
        // Apple has it; whether its answer is known by now is a matter of a millisecond.
        pushes: [{ device_id: phone.deviceId, status: expect.stringMatching(/^(queued|delivered)$/) }],
      })
      // The queue keeps the order: when a later push has arrived, a second one for the call would have arrived, too.
      const later = apnsToken()
      await cluster.push(b, { push_token: later })
      expect(cluster.simulators.apns.received.map(({ token }) => token)).toEqual([phone.token, later])
    })
  })

  test('answers everything properly while it is told to stop under load', async () => {
    await inCluster({ backend }, async (cluster) => {
      const [api] = urlsOf(cluster)
      const phone = await cluster.givenPhone(api, '100')
      const held = cluster.call(api, '100', { wait: 3 })
      await pushArrived(cluster, phone.token)
      const tokens = Array.from({ length: 50 }, apnsToken)
      for (const token of tokens) cluster.simulators.apns.behaves(token, { status: 200, delayMs: 500 })
      const pushes = tokens.map((push_token) => cluster.push(api, { push_token }))
      await until(() => cluster.simulators.apns.received.length === 51, {
        description: '50 pushes are in flight',
      })

      const exits = Promise.all([...cluster.apis, ...cluster.callWorkers].map(stop))
      for (const { status, json } of await Promise.all(pushes)) {
        expect(status).toBe(200)
        expect(json.data).toMatchObject({ delivered: true, status: 'delivered' })
      }
      expect((await held).json.data).toMatchObject({ outcome: 'timeout', fallback: 'voicemail' })

      for (const { exit, tookMs } of await exits) {
        expect(exit).toEqual({ code: 0, signal: null })
        // Not one of them waited for a client that keeps its connection.
        expect(tookMs).toBeLessThan(10 * SECOND)
      }
      const rows = await cluster.pushLog()
      expect(rows.map(({ state }) => state)).toEqual(Array.from({ length: 51 }, () => 'delivered'))
    })
  })
})

describe('the pushes in flight of a calls worker that was killed', () => {
  test('are ended by the next one, though they have been over for long, and none is sent twice', async () => {
    await onBothBackends({}, async (cluster) => {
      const tokens = await killedWithPushesInFlight(cluster, { ttl: 5 })
      await cluster.startCallWorker()
      const startedAt = performance.now()

      const rows = await allClosed(cluster, tokens.length)
      // The lock of a job and two checks for lost ones: 8 s.
      expect(performance.now() - startedAt).toBeLessThan(12 * SECOND)
      for (const row of rows) expect(row).toMatchObject({ state: 'failed', reason: 'worker_lost' })
      expect(sentTo(cluster)).toEqual(tokens)
    })
  }, 120_000)

  test('are ended by a sweep when there is no next one', async () => {
    await onBothBackends({ messageWorkers: 1 }, async (cluster) => {
      const tokens = await killedWithPushesInFlight(cluster, { ttl: 1 })
      const rows = await allClosed(cluster, tokens.length)
      for (const row of rows) expect(row).toMatchObject({ state: 'failed', reason: 'no_outcome' })
      expect(sentTo(cluster)).toEqual(tokens)
    })
  }, 120_000)
})

test('API and workers start before Redis, send calls without it, and go on with it as soon as it comes', async () => {
  const gone = await startRedisServer()
  await gone.kill()
  const options = { backend: 'redis', redisUrl: gone.url, messageWorkers: 1 } as const
  await inCluster(options, async (cluster) => {
    const [api] = urlsOf(cluster)
    expect(await readiness(api)).toEqual({
      status: 503,
      checks: { database: 'ok', queue: 'failed', signals: 'failed' },
    })
    for (const program of [...cluster.apis, ...cluster.callWorkers, ...cluster.messageWorkers]) {
      expect(program.output().match(/Redis at REDIS_URL cannot be reached/g)).toHaveLength(1)
    }
    const [call, message] = [apnsToken(), apnsToken()]
    const sent = await cluster.push(api, { push_token: call })
    expect(sent.json.data).toMatchObject({ delivered: true })
    const stored = {
      kind: 'message',
      message_id: 'm1',
      text: 'Hello',
      caller_id: undefined,
      call_id: undefined,
    }
    expect((await cluster.push(api, { push_token: message, ...stored })).status).toBe(202)

    await using _redis = await startRedisServer({ port: gone.port })
    await until(async () => (await readiness(api)).status === 200, { description: 'the API is ready' })
    const later = apnsToken()
    await cluster.push(api, { push_token: later })
    await until(() => sentTo(cluster).length === 3, {
      description: 'the message has been found by the sweep',
      timeoutMs: 15 * SECOND,
    })
    expect(sentTo(cluster)).toEqual([call, message, later].sort())
    const workersOwn = cluster.apis[0]?.output().match(/queue away, sending the call from here/g)
    expect(workersOwn).toHaveLength(1)
  })
})

describe('API and worker refuse to start with one sentence', () => {
  test('on a Redis that may drop calls', async () => {
    await using redis = await startRedisServer({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    await using database = await cloneDatabase()
    for (const { exit, said } of await runBoth(environment(database.url, redis.url))) {
      expect(exit.code).toBe(1)
      expect(said).toEqual([
        expect.stringMatching(/^wakeline: Redis has maxmemory-policy allkeys-lru and .* noeviction/),
      ])
    }
  })

  test('on a Redis that does not let them in', async () => {
    await using redis = await startRedisServer({ args: ['--requirepass', 'secret'] })
    await using database = await cloneDatabase()
    for (const { exit, said } of await runBoth(environment(database.url, redis.url))) {
      expect(exit.code).toBe(1)
      expect(said).toEqual([expect.stringMatching(/^wakeline: Redis at REDIS_URL does not let us in/)])
    }
  })

  test('on a port that another program has', async () => {
    await using redis = await startRedisServer()
    await using database = await cloneDatabase()
    const taken = { PORT: String(redis.port), METRICS_PORT: String(redis.port) }
    for (const { exit, said } of await runBoth({ ...environment(database.url, redis.url), ...taken })) {
      expect(exit.code).toBe(1)
      expect(said).toEqual([
        expect.stringMatching(/^wakeline: port \d+ on 127.0.0.1 is taken by another program/),
      ])
    }
  })

  test('in a wrong environment, naming every fault and no value', async () => {
    const faults = {
      DATABASE_URL: 'mysql://wakeline:hunter2@db/wakeline',
      REDIS_URL: 'hunter3@redis:6379',
      WAKELINE_SECRET: 'hunter4',
      PORT: 'hunter5',
      HOLD_SECONDS: '31',
      LOG_LEVEL: 'chatty',
      APNS_KEY_ID: 'hunter6',
    }
    const { APNS_KEY_ID, ...others } = faults
    for (const { exit, said, output } of await runBoth(faults)) {
      expect(exit.code).toBe(1)
      expect(said[0]).toBe('wakeline: The configuration has 7 fault(s):')
      for (const name of ['APNs', ...Object.keys(others)]) expect(output).toContain(`  - ${name} `)
      expect(said).toHaveLength(8)
      for (const value of Object.values(faults)) expect(output).not.toContain(value)
      expect(output).not.toContain('hunter')
    }
  })
})

function urlsOf({ urls: [first = '', second = ''] }: Cluster): [string, string] {
  return [first, second]
}

async function readiness(api: string) {
  const response = await fetch(`${api}/readyz`)
  const { checks } = (await response.json()) as { checks: Record<string, string> }
  return { status: response.status, checks }
}

const pushArrived = ({ simulators }: Cluster, token: string) =>
  until(() => simulators.apns.received.some((push) => push.token === token), {
    description: 'the push has reached Apple',
  })

const sentTo = ({ simulators }: Cluster): string[] =>
  simulators.apns.received.map(({ token }) => token).sort()

/** Side by side, for tests that do nothing but wait most of the time. */
const onBothBackends = (
  options: Omit<ClusterOptions, 'backend'>,
  test: (cluster: Cluster) => Promise<void>,
) => Promise.all(BACKENDS.map((backend) => inCluster({ backend, ...options }, test)))

/** Kills the only calls worker while it waits for Apple's answer to every one of these tokens. */
async function killedWithPushesInFlight(cluster: Cluster, { ttl }: { ttl: number }): Promise<string[]> {
  const [api] = urlsOf(cluster)
  const tokens = Array.from({ length: 20 }, apnsToken).sort()
  for (const token of tokens) cluster.simulators.apns.behaves(token, { silent: true })
  // Without waiting: whoever waits is told after 8 s that the outcome is open, which is not what is asked here.
  const headers = { prefer: 'respond-async' }
  const answers = await Promise.all(
    tokens.map((push_token) => cluster.push(api, { push_token, ttl }, headers)),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  await until(() => cluster.simulators.apns.received.length === tokens.length, {
    description: 'every push is in flight',
  })
  cluster.callWorkers[0]?.kill('SIGKILL')
  return tokens
}

const allClosed = (cluster: Cluster, count: number) =>
  until(
    async () => {
      const rows = await cluster.pushLog()
      return rows.length === count && rows.every(({ closed_at }) => closed_at !== null) ? rows : undefined
    },
    { description: 'every push has ended', timeoutMs: 22 * SECOND },
  )

async function stop(program: Program) {
  const begin = performance.now()
  program.kill('SIGTERM')
  return { exit: await program.exited, tookMs: performance.now() - begin }
}

const environment = (databaseUrl: string, redisUrl: string) => ({
  DATABASE_URL: databaseUrl,
  REDIS_URL: redisUrl,
  WAKELINE_SECRET: randomBytes(32).toString('hex'),
  PORT: '0',
  METRICS_PORT: '0',
})

/** Runs an API and a worker, which both end by themselves. */
const runBoth = (env: Record<string, string>) =>
  Promise.all([run('an API', API_PROGRAM, env), run('a worker', CALL_WORKER_PROGRAM, env)])

async function run(name: string, args: readonly string[], env: Record<string, string>) {
  await using program = startProgram(name, args, env)
  const exit = await program.exited
  const output = program.output()
  return { exit, output, said: output.trim().split('\n') }
}
