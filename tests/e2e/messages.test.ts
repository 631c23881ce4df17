import { randomBytes } from 'node:crypto'
import { newId } from '../../src/lib/ids.ts'
import { startWorkers } from '../../workers/start-workers.ts'
import { until } from '../support/conditions.ts'
import { query } from '../support/databases.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startRedisServer } from '../support/redis-server.ts'

const pending = (gateway: TestGateway) => query(gateway.database.url, 'SELECT * FROM pending_pushes')
const arrivals = (gateway: TestGateway, token: string) =>
  gateway.simulators.fcm.received.filter((push) => push.token === token)

describe.each(BACKENDS)('the messages lane on %s', (backend) => {
  test('answers when the row is committed, delivers once, and keeps nothing open', async () => {
    await using gateway = await startTestGateway({ backend })
    const token = fcmToken()
    const answer = await gateway.message({ push_token: token, text: 'Hello' })
    expect(answer.status).toBe(202)
    const { push_id } = answer.json.data
    expect(answer.json.data).toMatchObject({ delivered: false, kind: 'message', status: 'queued' })
    expect(answer.headers.get('location')).toBe(`/v1/push/${push_id}`)
    expect(await gateway.ended(push_id)).toMatchObject({ delivered: true, attempts: 1, token_state: 'valid' })
    expect(arrivals(gateway, token)).toHaveLength(1)
    expect(await pending(gateway)).toEqual([])
    const [row] = await gateway.pushLog()
    expect(row).toMatchObject({ id: push_id, kind: 'message', state: 'delivered', call_id: null })
  })

  test('commits before it answers: without workers the promise is there', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const { json } = await gateway.message({ text: 'a text nobody may read' })
    const [row] = await pending(gateway)
    expect(row).toMatchObject({ id: json.data.push_id, generation: 0, fence: 0, provider: 'fcm' })
    expect(JSON.stringify(row)).not.toContain('nobody may read')
  })

  test('tries again as the provider asks, and tells each try', async () => {
    await using gateway = await startTestGateway({ backend })
    const token = fcmToken()
    gateway.simulators.fcm.answers(
      token,
      { status: 503, errorCode: 'UNAVAILABLE', headers: { 'retry-after': '2' } },
      { status: 500, errorCode: 'INTERNAL' },
    )
    const { json } = await gateway.message({ push_token: token })
    const ended = await gateway.ended(json.data.push_id, 20_000)
    expect(ended).toMatchObject({ delivered: true, attempts: 3 })
    const at = arrivals(gateway, token).map((push) => push.receivedAtMonotonic)
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(1_950)
    const tries = await until(
      async () => {
        const rows = await query(
          gateway.database.url,
          `SELECT number, outcome, class, provider_status, reason FROM push_attempts ORDER BY number`,
        )
        return rows.length === 2 && rows
      },
      { description: 'both tries are written' },
    )
    expect(tries).toEqual([
      { number: 1, outcome: 'retry', class: 'transient', provider_status: 503, reason: 'UNAVAILABLE' },
      { number: 2, outcome: 'retry', class: 'transient', provider_status: 500, reason: 'INTERNAL' },
    ])
  })

  test('sends again what may have been lost, with the same id, so that it replaces itself', async () => {
    await using gateway = await startTestGateway({ backend })
    const token = apnsToken()
    gateway.simulators.apns.answers(token, { silent: true })
    const { json } = await gateway.message({ push_token: token, push_platform: 'apns' })
    expect(await gateway.ended(json.data.push_id)).toMatchObject({ delivered: true, attempts: 2 })
    const received = gateway.simulators.apns.received.filter((push) => push.token === token)
    expect(received).toHaveLength(2)
    expect(new Set(received.map(({ apnsId }) => apnsId)).size).toBe(1)
    expect(new Set(received.map(({ headers }) => headers['apns-collapse-id'])).size).toBe(1)
  })

  test('sends nothing after its time, and says so', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const token = fcmToken()
    const { json } = await gateway.message({ push_token: token, ttl: 1 })
    await until(
      async () => {
        const [row] = await pending(gateway)
        return row && Number(new Date(row.expires_at as string)) < Date.now()
      },
      { description: 'its time is over' },
    )
    const workers = startWorkers(gateway.context, ['messages'])
    expect(await gateway.ended(json.data.push_id)).toMatchObject({ status: 'expired', reason: 'expired' })
    expect(arrivals(gateway, token)).toEqual([])
    await workers.close(2_000)
  })

  test('a push whose job was lost gets another one from the sweep', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const token = fcmToken()
    const { json } = await gateway.message({ push_token: token })
    const queue = gateway.context.queues.raw.get('messages-fcm')
    await until(async () => (await queue?.getJobCounts('waiting'))?.waiting === 1, {
      description: 'the job is there',
    })
    await queue?.obliterate({ force: true })
    const workers = startWorkers(gateway.context, ['messages'])
    expect(await gateway.ended(json.data.push_id)).toMatchObject({ delivered: true })
    expect(arrivals(gateway, token)).toHaveLength(1)
    await workers.close(2_000)
  })

  test('a push whose job has been given up gets one of the next generation', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const token = fcmToken()
    const { json } = await gateway.message({ push_token: token })
    const id = json.data.push_id
    // A job that ended and left its row open, as one does whose eight tries are over.
    const { queues } = gateway.context
    const queue = queues.raw.get('messages-fcm')
    await until(async () => (await queues.fateOf('deliver-fcm-message', `${id}_0`)) === 'due', {
      description: 'the job is there',
    })
    await queue?.remove(`${id}_0`)
    await queue?.add('from-yesterday', {}, { jobId: `${id}_0` })
    const workers = startWorkers(gateway.context, ['messages'])
    expect(await gateway.ended(id)).toMatchObject({ delivered: true })
    await until(async () => (await queues.fateOf('deliver-fcm-message', `${id}_1`)) === 'over', {
      description: 'the job of the next generation is done',
    })
    await workers.close(2_000)
  })

  test('many sweeps at the same time give each push one job', async () => {
    await using gateway = await startTestGateway({ backend, workers: false, nodes: 3 })
    const tokens = Array.from({ length: 40 }, fcmToken)
    const answers = await Promise.all(tokens.map((push_token) => gateway.message({ push_token })))
    const queue = gateway.context.queues.raw.get('messages-fcm')
    await until(async () => (await queue?.getJobCounts('waiting'))?.waiting === 40, {
      description: 'all are queued',
    })
    await queue?.obliterate({ force: true })
    const workers = gateway.nodes.map(({ context }) => startWorkers(context, ['messages']))
    await Promise.all(answers.map(({ json }) => gateway.ended(json.data.push_id)))
    expect(tokens.map((token) => arrivals(gateway, token).length)).toEqual(tokens.map(() => 1))
    await Promise.all(workers.map((running) => running.close(2_000)))
  })

  test('a push that several workers take up at the same time ends once', async () => {
    await using gateway = await startTestGateway({ backend, workers: false, nodes: 2 })
    const { json } = await gateway.message()
    const id = json.data.push_id
    const attempt = { number: 0, last: false, pauseMs: 1_000 }
    const all = gateway.nodes.flatMap(({ context }) =>
      Array.from({ length: 5 }, () => context.deliverMessage(id, 'fcm', attempt)),
    )
    expect((await Promise.all(all)).every((verdict) => verdict.done)).toBe(true)
    expect(await gateway.ended(id)).toMatchObject({ delivered: true })
    const metrics = await Promise.all(
      gateway.nodes.map(({ context }) =>
        context.metrics.registry.getSingleMetricAsString('wakeline_pushes_total'),
      ),
    )
    const counted = metrics.join('\n').match(/state="delivered"[^}]*\} (\d+)/g) ?? []
    expect(counted).toHaveLength(1)
  })

  test('a push that cannot be read back ends as failed, and the others go on', async () => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const broken = (await gateway.message()).json.data.push_id
    const good = (await gateway.message()).json.data.push_id
    await gateway.context
      .db('pending_pushes')
      .where({ id: broken })
      .update({ sealed: randomBytes(60).toString('base64') })
    const workers = startWorkers(gateway.context, ['messages'])
    expect(await gateway.ended(broken)).toMatchObject({ status: 'failed', reason: 'unreadable' })
    expect(await gateway.ended(good)).toMatchObject({ delivered: true })
    await workers.close(2_000)
  })

  test('a job for a push that never was is parked with its reason', async () => {
    await using gateway = await startTestGateway({ backend })
    const { queues } = gateway.context
    const pushId = newId()
    await queues.enqueue('deliver-fcm-message', { v: 1, pushId }, `${pushId}_0`)
    const parked = await until(async () => (await queues.raw.get('messages-fcm')?.getFailed())?.[0], {
      description: 'it is parked',
    })
    expect(parked.failedReason).toBe(`there is no push ${pushId}`)
    const { json } = await gateway.message()
    expect(await gateway.ended(json.data.push_id)).toMatchObject({ delivered: true })
  })

  test('while a provider fails, its messages wait without being burnt, and the other provider goes on', async () => {
    await using gateway = await startTestGateway({ backend })
    const tokens = Array.from({ length: 150 }, fcmToken)
    for (const token of tokens)
      gateway.simulators.fcm.behaves(token, { status: 503, errorCode: 'UNAVAILABLE' })
    const answers = await Promise.all(tokens.map((push_token) => gateway.message({ push_token })))
    await until(
      async () =>
        (await gateway.context.metrics.registry.metrics()).includes(
          'wakeline_provider_down{app="default",provider="fcm"} 1',
        ),
      { timeoutMs: 20_000, description: 'the outage is noticed' },
    )
    const tried = gateway.simulators.fcm.received.length
    const apple = await gateway.message({ push_platform: 'apns', push_token: apnsToken() })
    expect(await gateway.ended(apple.json.data.push_id)).toMatchObject({ delivered: true })
    const call = await gateway.push({ push_platform: 'fcm', push_token: fcmToken() })
    expect(call.json.data).toMatchObject({ delivered: true })
    for (const token of tokens) gateway.simulators.fcm.forgets(token)
    const ends = await Promise.all(answers.map(({ json }) => gateway.ended(json.data.push_id, 60_000)))
    expect(ends.every(({ delivered }) => delivered)).toBe(true)
    // Each was tried a few times at most: the outage lasted for several rounds of pauses.
    expect(tried).toBeLessThan(tokens.length * 4)
  }, 90_000)
})

test('with the queue away a message is accepted all the same, and delivered when it is back', async () => {
  const redis = await startRedisServer()
  await using gateway = await startTestGateway({ backend: 'redis', redisUrl: redis.url })
  const token = fcmToken()
  await gateway.message() // everything is warm
  await redis.kill()
  const begin = performance.now()
  const answer = await gateway.message({ push_token: token })
  expect(answer.status).toBe(202)
  expect(performance.now() - begin).toBeLessThan(5_000)
  // Empty: nothing of what the old one knew is left.
  const again = await startRedisServer({ port: redis.port })
  expect(await gateway.ended(answer.json.data.push_id, 25_000)).toMatchObject({ delivered: true })
  expect(arrivals(gateway, token)).toHaveLength(1)
  await gateway[Symbol.asyncDispose]()
  await again.kill()
}, 60_000)

test('with the database away a message is refused, never promised', async () => {
  await using gateway = await startTestGateway({ backend: 'redis' })
  await gateway.message() // the licence is known from here on
  await gateway.context.db.raw('ALTER TABLE pending_pushes RENAME TO pending_pushes_away')
  const answer = await gateway.message()
  expect(answer.status).toBe(503)
  expect(answer.json).toMatchObject({ data: null, code: 'store_unavailable' })
  expect(answer.headers.get('retry-after')).toBe('1')
  await gateway.context.db.raw('ALTER TABLE pending_pushes_away RENAME TO pending_pushes')
  // Half a promise would be a row in the log that nobody owes.
  expect(await gateway.pushLog()).toHaveLength(1)
})
