import { migrateDatabase } from '../../src/migrate-database.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, callId, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'
import { startRedisServer } from '../support/redis-server.ts'

const arrivals = (gateway: TestGateway, token: string) =>
  gateway.simulators.apns.received.filter((push) => push.token === token)

const rowsClosed = (gateway: TestGateway, count: number) =>
  until(
    async () => {
      const rows = await gateway.pushLog()
      return rows.length >= count && rows.every((row) => row.closed_at) ? rows : undefined
    },
    { timeoutMs: 20_000, description: `${count} rows are closed` },
  )

/** Takes a slot for 4 s, as long as the vendor asks for patience; then it is taken. */
const patience = { status: 503, reason: 'ServiceUnavailable', headers: { 'retry-after': '4' } }

/** A gateway over a Redis of its own that has proved to work. */
async function onOwnRedis(nodes = 1) {
  const redis = await startRedisServer()
  const gateway = await startTestGateway({ backend: 'redis', redisUrl: redis.url, nodes })
  expect((await gateway.push()).json.data.delivered).toBe(true)
  return {
    redis,
    gateway,
    [Symbol.asyncDispose]: async () => {
      redis.thaw()
      await redis.kill()
      // BullMQ's workers do not close while their Redis is away.
      await using _again = await startRedisServer({ port: redis.port })
      await gateway[Symbol.asyncDispose]()
    },
  }
}

describe('calls without Redis', () => {
  test('that was killed: every push is sent by the API itself, and its row follows', async () => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    await redis.kill()
    const tokens = Array.from({ length: 20 }, apnsToken)
    const begin = performance.now()
    const answers = await Promise.all(tokens.map((push_token) => gateway.push({ push_token })))
    // An answer that waits for a worker takes 8 s.
    expect(performance.now() - begin).toBeLessThan(7_000)
    expect(answers.map(({ json }) => json.data?.delivered)).toEqual(tokens.map(() => true))
    expect(tokens.map((token) => arrivals(gateway, token).length)).toEqual(tokens.map(() => 1))
    const rows = await rowsClosed(gateway, 21)
    expect(rows.map(({ state }) => state)).toEqual(rows.map(() => 'delivered'))
    expect(await gateway.context.metrics.registry.metrics()).toContain(
      'wakeline_calls_bypassed_total{provider="apns"} 20',
    )
    expect((await gateway.request('GET', '/readyz')).status).toBe(503)
    expect((await gateway.request('GET', '/healthz')).status).toBe(200)
  })

  test('that is frozen: handing over takes half a second at most, and soon none', async () => {
    await using own = await onOwnRedis()
    own.redis.freeze()
    const times: number[] = []
    for (let i = 0; i < 8; i += 1) {
      const begin = performance.now()
      const { status } = await own.gateway.push({}, { headers: { prefer: 'respond-async' } })
      times.push(performance.now() - begin)
      expect(status).toBe(202)
    }
    // The promise is 500 ms; a busy machine gets some more, and is still far from the time-outs of the connection.
    expect(Math.max(...times)).toBeLessThan(3_000)
    expect(Math.min(...times)).toBeLessThan(300)
  })

  test('that was frozen when a push came: the job that arrives late does not ring again', async () => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    const tokens = Array.from({ length: 10 }, apnsToken)
    redis.freeze()
    const answers = await Promise.all(tokens.map((push_token) => gateway.push({ push_token })))
    expect(answers.map(({ json }) => json.data?.delivered)).toEqual(tokens.map(() => true))
    redis.thaw()
    // A push that went through the queue comes after all that waited there.
    await until(async () => (await gateway.push()).json.data?.delivered, { description: 'the queue is back' })
    const { queues } = gateway.context
    await until(
      async () => {
        const { counts } = await queues.depth('calls')
        return counts.waiting === 0 && counts.active === 0
      },
      { description: 'the queue is empty' },
    )
    expect(tokens.map((token) => arrivals(gateway, token).length)).toEqual(tokens.map(() => 1))
    const rows = await rowsClosed(gateway, 11)
    expect(rows.filter(({ state }) => state !== 'delivered')).toEqual([])
  })

  test('a provider that asks for another try gets it', async () => {
    await using own = await onOwnRedis()
    await own.redis.kill()
    const token = apnsToken()
    own.gateway.simulators.apns.answers(token, { status: 503, reason: 'ServiceUnavailable' })
    const { json } = await own.gateway.push({ push_token: token })
    expect(json.data).toMatchObject({ delivered: true, attempts: 2 })
    const ids = arrivals(own.gateway, token).map(({ apnsId }) => apnsId)
    expect(ids).toEqual([json.data.push_id, json.data.push_id])
  })

  test('a held call rings, and a registration at the same node releases it', async () => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    const phone = await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 'never' } })
    await redis.kill()
    const held = gateway.call('100')
    await until(() => phone.rang.length > 0, { description: 'the phone rings' })
    await gateway.pbx('POST', '/registrations', { body: { extension: '100', device_id: phone.deviceId } })
    const { outcome, pushes } = (await held).json.data
    expect(outcome).toBe('registered')
    // Apple has it; whether its answer is known by now is a matter of a millisecond.
    expect(pushes).toMatchObject([{ status: expect.stringMatching(/^(queued|delivered)$/) }])
    expect(phone.rang).toHaveLength(1)
  })

  test('a held call that is cancelled or refused ends at once', async () => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    const phone = await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 'never' } })
    await redis.kill()
    gateway.simulators.apns.answers(phone.token, { status: 400, reason: 'BadTopic' })
    expect((await gateway.call('100')).json.data.outcome).toBe('unreachable')
  })

  test('the same idempotency key rings once', async () => {
    await using own = await onOwnRedis()
    await own.redis.kill()
    const body = { push_token: apnsToken(), call_id: callId() }
    const headers = { 'idempotency-key': 'one-call', prefer: 'respond-async' }
    const answers = await Promise.all(Array.from({ length: 10 }, () => own.gateway.push(body, { headers })))
    expect(new Set(answers.map(({ json }) => json.data?.push_id)).size).toBe(1)
    await rowsClosed(own.gateway, 2)
    expect(arrivals(own.gateway, body.push_token)).toHaveLength(1)
    const other = await own.gateway.push({ ...body, caller_id: 'another' }, { headers })
    expect(other.json.code).toBe('idempotency_conflict')
  })

  test('more than one process can carry is refused, so that the PBX goes on to voicemail', async () => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    const [busy, others] = [Array.from({ length: 64 }, apnsToken), Array.from({ length: 16 }, apnsToken)]
    for (const token of busy) gateway.simulators.apns.answers(token, patience)
    await redis.kill()
    const push = (push_token: string) => gateway.push({ push_token })
    const carried = Promise.all(busy.map(push))
    await until(() => gateway.simulators.apns.received.length >= 65, { description: 'there is no room' })
    const refused = await Promise.all(others.map(push))
    expect(refused.map(({ status }) => status)).toEqual(others.map(() => 503))
    expect(refused[0]?.json).toMatchObject({ data: null, code: 'queue_unavailable' })
    expect(refused[0]?.headers.get('retry-after')).toBe('1')
    expect((await carried).map(({ status }) => status)).not.toContain(503)
    const sentTo = gateway.simulators.apns.received.map(({ token }) => token)
    expect(sentTo).toEqual(expect.arrayContaining(busy))
    expect(sentTo.filter((token) => others.includes(token))).toEqual([])
    const rows = await rowsClosed(gateway, 81)
    expect(rows.filter(({ state }) => state === 'failed')).toHaveLength(16)
  })

  test('what was refused for lack of room is sent when its idempotency key comes again', async () => {
    await using own = await onOwnRedis()
    const { redis, gateway } = own
    const busy = Array.from({ length: 64 }, apnsToken)
    for (const token of busy) gateway.simulators.apns.answers(token, patience)
    await redis.kill()
    const others = busy.map((push_token) => gateway.push({ push_token }))
    await until(() => gateway.simulators.apns.received.length >= 65, { description: 'there is no room' })
    const body = { push_token: apnsToken(), call_id: callId() }
    const again = () => gateway.push(body, { headers: { 'idempotency-key': 'refused-once' } })
    expect([(await again()).status, (await again()).status]).toEqual([503, 503])
    await Promise.all(others)
    // Each makes room a moment after its answer.
    const sent = await until(
      async () => {
        const answer = await again()
        return answer.status === 503 ? undefined : answer
      },
      { description: 'there is room' },
    )
    expect(sent.json.data).toMatchObject({ delivered: true })
    expect((await again()).json.data.push_id).toBe(sent.json.data.push_id)
    expect(arrivals(gateway, body.push_token)).toHaveLength(1)
  })
})

describe('calls without PostgreSQL', () => {
  test('go on for licences and phones that were seen lately, and their rows follow', async () => {
    await using postgres = await startOwnPostgres()
    await migrateDatabase(postgres.url)
    await using gateway = await startTestGateway({ backend: 'redis', databaseUrl: postgres.url })
    const phone = await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 'never' } })
    await gateway.push()
    await gateway.call('100', { wait: 1 })
    await gateway.pbx('PUT', '/extensions/200', { body: {} })
    await postgres.freeze()
    try {
      const token = apnsToken()
      const begin = performance.now()
      const pushed = await gateway.push({ push_token: token })
      expect(pushed.json.data.delivered).toBe(true)
      expect(performance.now() - begin).toBeLessThan(4_000)
      const held = gateway.call('100', { wait: 2 })
      await until(() => phone.rang.length === 2, { description: 'the phone rings again' })
      expect((await held).json.data.outcome).toBe('timeout')
      // Never called before: nobody knows its phones.
      const unknown = await gateway.call('200')
      expect([unknown.status, unknown.json.code]).toEqual([503, 'store_unavailable'])
    } finally {
      await postgres.thaw()
    }
    const rows = await rowsClosed(gateway, 4)
    expect(rows.map(({ state }) => state)).toEqual(['delivered', 'delivered', 'delivered', 'delivered'])
  })

  test('go on when it is the queue as well', async () => {
    await using postgres = await startOwnPostgres()
    await migrateDatabase(postgres.url)
    await using gateway = await startTestGateway({ backend: 'postgres', databaseUrl: postgres.url })
    await gateway.push()
    await postgres.freeze()
    try {
      const token = apnsToken()
      const { json } = await gateway.push({ push_token: token })
      expect(json.data.delivered).toBe(true)
      expect(arrivals(gateway, token)).toHaveLength(1)
    } finally {
      await postgres.thaw()
    }
    await rowsClosed(gateway, 2)
  })
})
