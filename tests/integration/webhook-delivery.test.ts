import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { DAY, MINUTE, SECOND } from '../../src/lib/units.ts'
import { JITTER, pauseAfter } from '../../src/webhooks/retry-schedule.ts'
import { until } from '../support/conditions.ts'
import { openWebhookNodes, signatureOf, type WebhookNodes } from '../support/webhook-node.ts'
import { type ReceivedWebhook, startWebhookReceiver } from '../support/webhook-receiver.ts'

const EVENT = { type: 'token.invalidated', data: { extension: '1001', reason: 'Unregistered — gelöscht' } }
const ids = (received: readonly ReceivedWebhook[]) =>
  received.map(({ headers }) => headers['wakeline-event-id'])
const hmac = (secret: string, { t, body }: { t: number; body: string }) =>
  createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')

/** A tenant with a webhook at a receiver of its own. */
async function givenWebhook(nodes: WebhookNodes) {
  const receiver = await startWebhookReceiver()
  const tenantId = await nodes.givenTenant()
  const webhook = await nodes.webhooks.create(tenantId, receiver.url)
  return {
    ...{ tenantId, receiver, ...webhook },
    announce: () => nodes.webhooks.announce(tenantId, EVENT),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  }
}

test('an event arrives within a look of the worker, signed, and says what happened', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  nodes.startWorker()
  await owner.announce()
  await until(() => owner.receiver.received.length > 0, { description: 'the owner is told' })

  const [received] = owner.receiver.received
  if (!received) throw new Error('nothing came')
  const said = JSON.parse(received.body)
  expect(said).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{14}7/),
    ...EVENT,
    created_at: expect.any(String),
  })
  expect(Math.abs(Date.parse(said.created_at) - Date.now())).toBeLessThan(10 * SECOND)
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(received).toMatchObject({
    method: 'POST',
    path: '/hook',
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(received.body)),
      'user-agent': `Wakeline/${version}`,
      'wakeline-event-id': said.id,
    },
  })
  expect(received.headers['wakeline-signature']).toMatch(/^t=\d{10},v1=[0-9a-f]{64}$/)
  const { t, v1 } = signatureOf(received)
  expect(v1).toEqual([hmac(owner.secret, { t, body: received.body })])
  expect(Math.abs(t - Date.now() / SECOND)).toBeLessThan(10)
  await until(async () => (await nodes.rows())[0]?.delivered_at, { description: 'the row is closed' })
  expect(await nodes.rows()).toMatchObject([{ attempts: 1, next_attempt_at: null, last_status: 200 }])
  // Counted after the row.
  await until(async () => (await nodes.attempts('delivered')) > 0, { description: 'the attempt is counted' })
  expect(await nodes.attempts('delivered')).toBe(1)
})

test('every webhook of the tenant is told of one event, and nobody else', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await using stranger = await givenWebhook(nodes)
  await using second = await startWebhookReceiver()
  await nodes.webhooks.create(owner.tenantId, second.url)
  await owner.announce()
  await nodes.webhooks.announce(await nodes.givenTenant(), EVENT)

  expect(await nodes.deliverDue()).toBe(2)
  expect(owner.receiver.received.map(({ body }) => body)).toEqual(second.received.map(({ body }) => body))
  expect(owner.receiver.received).toHaveLength(1)
  expect(stranger.receiver.received).toEqual([])
})

test('a receiver that fails gets the same bytes again, signed anew, until it succeeds', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  const { receiver } = owner
  const location = `${receiver.url}/elsewhere`
  receiver.answers({ status: 500 }, { status: 302, headers: { location } }, { status: 404 }, { status: 204 })
  await owner.announce()

  for (const attempts of [1, 2, 3]) {
    expect(await nodes.deliverDue()).toBe(1)
    const [row] = await nodes.rows()
    const pause = row.next_attempt_at.getTime() - nodes.clock.now()
    const planned = pauseAfter(attempts, 0) ?? Number.NaN
    expect(row).toMatchObject({ attempts, delivered_at: null, last_status: [500, 302, 404][attempts - 1] })
    expect(pause).toBeGreaterThan(planned - 5 * SECOND)
    expect(pause).toBeLessThanOrEqual(planned * (1 + JITTER))
    // Not a moment before.
    nodes.pass(pause - 5 * SECOND)
    expect(await nodes.deliverDue()).toBe(0)
    nodes.pass(5 * SECOND)
  }
  expect(await nodes.deliverDue()).toBe(1)
  expect(await nodes.rows()).toMatchObject([{ attempts: 4, next_attempt_at: null, last_status: 204 }])
  nodes.pass(30 * DAY)
  expect(await nodes.deliverDue()).toBe(0)

  const [first, ...others] = receiver.received
  expect(others).toHaveLength(3)
  for (const other of others) {
    expect(other.body).toBe(first?.body)
    expect(ids([other])).toEqual(first && ids([first]))
    expect(other.path).toBe('/hook')
  }
  const times = receiver.received.map((each) => signatureOf(each).t)
  expect(new Set(times).size).toBe(4)
  for (const each of receiver.received) {
    const { t, v1 } = signatureOf(each)
    expect(v1).toEqual([hmac(owner.secret, { t, body: each.body })])
  }
  expect(await nodes.attempts('failed')).toBe(3)
})

test('after ten attempts it is given up: visible, counted, logged without URL and secret', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  owner.receiver.behaves({ status: 503 })
  await owner.announce()
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    expect(await nodes.deliverDue()).toBe(1)
    expect(await nodes.attempts('given_up')).toBe(attempt === 10 ? 1 : 0)
    nodes.pass((pauseAfter(attempt, 1) ?? 0) + SECOND)
  }
  nodes.pass(30 * DAY)
  expect(await nodes.deliverDue()).toBe(0)
  expect(owner.receiver.received).toHaveLength(10)
  const page = await nodes.webhooks.deliveries(owner.tenantId, owner.id, { limit: 10 })
  expect(page).toMatchObject([{ state: 'given_up', attempts: 10, lastStatus: 503 }])
  const line =
    nodes
      .logged()
      .split('\n')
      .find((text) => text.includes('webhook.given_up')) ?? ''
  expect(JSON.parse(line)).toMatchObject({ level: 'warn', webhook_id: owner.id, attempts: 10, status: 503 })
  expect(nodes.logged()).not.toContain('127.0.0.1')
  expect(nodes.logged()).not.toContain('whsec_')
})

test('a receiver that is gone for good (410) is not asked again', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  owner.receiver.behaves({ status: 410 })
  await owner.announce()
  await nodes.deliverDue()
  expect(await nodes.rows()).toMatchObject([{ attempts: 1, next_attempt_at: null, delivered_at: null }])
  expect((await nodes.rows())[0].given_up_at).toBeInstanceOf(Date)
  expect(await nodes.attempts('given_up')).toBe(1)
  // The webhook is still there and is told of the next event.
  await owner.announce()
  expect(await nodes.deliverDue()).toBe(1)
})

test('two workers over the same rows deliver each event once', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await using others = new AsyncDisposableStack()
  const receivers = [owner.receiver]
  for (let i = 0; i < 4; i += 1) {
    const receiver = others.use(await startWebhookReceiver())
    await nodes.webhooks.create(owner.tenantId, receiver.url)
    receivers.push(receiver)
  }
  for (let i = 0; i < 60; i += 1) await owner.announce()
  nodes.startWorker()
  nodes.startWorker()
  await until(async () => (await nodes.rows()).every(({ delivered_at }) => delivered_at), {
    description: 'everything is delivered',
    timeoutMs: 45_000,
  })
  for (const { received } of receivers) {
    expect(received).toHaveLength(60)
    expect(new Set(ids(received)).size).toBe(60)
  }
  for (const { attempts } of await nodes.rows()) expect(attempts).toBe(1)
})

test('what a dead worker had in hand comes back when its lease is over', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await owner.announce()
  owner.receiver.behaves('silent')
  const dying = nodes.startWorker()
  await until(() => owner.receiver.open() === 1, { description: 'an attempt is under way' })
  await dying.close(0)
  owner.receiver.behaves({ status: 200 })

  expect(await nodes.deliverDue()).toBe(0)
  nodes.pass(50 * SECOND)
  expect(await nodes.deliverDue()).toBe(0)
  nodes.pass(10 * SECOND)
  expect(await nodes.deliverDue()).toBe(1)
  expect(await nodes.rows()).toMatchObject([{ attempts: 2, last_status: 200 }])
  expect(new Set(ids(owner.receiver.received)).size).toBe(1)
})

test('a worker that comes back after its lease changes nothing by a failure, and counts with a success', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await owner.announce()
  const take = async () => {
    const now = nodes.clock.now()
    const claim = { now, leaseUntil: now + MINUTE, limit: 10, perWebhook: 10, inFlight: new Map() }
    const [due] = await nodes.webhookDeliveries.claim(claim)
    if (!due) throw new Error('nothing was due')
    return due
  }
  const late = await take()
  nodes.pass(2 * MINUTE)
  const own = await take()
  const when = { at: nodes.clock.now(), nextAttemptAt: undefined }
  expect(await nodes.webhookDeliveries.failed(late, { status: 500 }, when)).toBe(false)
  expect(await nodes.webhookDeliveries.delivered(late, nodes.clock.now(), 200)).toBe(true)
  expect(await nodes.webhookDeliveries.failed(own, { status: 500 }, when)).toBe(false)
  expect(await nodes.webhookDeliveries.delivered(own, nodes.clock.now(), 200)).toBe(false)
  expect(await nodes.rows()).toMatchObject([{ next_attempt_at: null, given_up_at: null, last_status: 200 }])
})

test('a slow receiver with a long queue gets two at a time, and no other waits for it', async () => {
  await using nodes = await openWebhookNodes()
  await using slow = await givenWebhook(nodes)
  await using quick = await givenWebhook(nodes)
  slow.receiver.behaves('silent')
  for (let i = 0; i < 100; i += 1) await slow.announce()
  nodes.startWorker()
  await until(() => slow.receiver.open() === 2, { description: 'the slow one has its share' })
  await Promise.all(Array.from({ length: 40 }, quick.announce))
  await until(() => quick.receiver.received.length === 40, { description: 'the quick one has all' })
  expect(slow.receiver.mostOpen()).toBe(2)
  expect(slow.receiver.received).toHaveLength(2)

  // The attempts end by themselves after 10 s, and the next two of the slow one have their turn.
  await until(() => slow.receiver.received.length === 4, {
    description: 'the slow one goes on',
    timeoutMs: 30_000,
  })
  expect(slow.receiver.mostOpen()).toBeLessThanOrEqual(4)
  const tried = (await nodes.rows()).filter(({ last_error }) => last_error !== null)
  expect(tried.map(({ last_error }) => last_error)).toEqual(['timeout', 'timeout'])
})

test('a worker that stops finishes what it has in hand, and leaves to others what takes too long', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await using silent = await givenWebhook(nodes)
  owner.receiver.behaves('silent')
  silent.receiver.behaves('silent')
  await Promise.all([owner.announce(), silent.announce()])
  const worker = nodes.startWorker()
  await until(() => silent.receiver.open() === 1 && owner.receiver.open() === 1, {
    description: 'both are being told',
  })
  const closed = worker.close(500)
  owner.receiver.release()
  await closed
  await until(() => silent.receiver.open() === 0, { description: 'the connection is closed' })
  const rows = await nodes.rows()
  expect(rows.filter(({ delivered_at }) => delivered_at)).toMatchObject([{ webhook_id: owner.id }])
  const [left] = rows.filter(({ delivered_at }) => !delivered_at)
  expect(left).toMatchObject({ webhook_id: silent.id, attempts: 1, last_status: null, last_error: null })
})

test('for a day after a rotation there are two signatures, then one', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  const { secret, previousUntil } = await nodes.webhooks.rotate(owner.tenantId, owner.id)
  expect(secret).not.toBe(owner.secret)
  expect(Math.abs(previousUntil - nodes.clock.now() - DAY)).toBeLessThan(10 * SECOND)
  const deliver = async () => {
    await owner.announce()
    await nodes.deliverDue()
    const received = owner.receiver.received.at(-1)
    if (!received) throw new Error('nothing came')
    const { t, v1 } = signatureOf(received)
    return { v1, by: (key: string) => hmac(key, { t, body: received.body }) }
  }
  const during = await deliver()
  expect(during.v1).toEqual([during.by(secret), during.by(owner.secret)])

  const { secret: third } = await nodes.webhooks.rotate(owner.tenantId, owner.id)
  const again = await deliver()
  expect(again.v1).toEqual([again.by(third), again.by(secret)])

  nodes.pass(DAY + MINUTE)
  const after = await deliver()
  expect(after.v1).toEqual([after.by(third)])
  nodes.startWorker()
  await until(async () => (await nodes.db('webhooks').first()).previous_secret_sealed === null, {
    description: 'the old secret is forgotten',
  })
})

test('secrets are sealed for their webhook, and one that cannot be opened is a failure like any other', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await using other = await givenWebhook(nodes)
  const stored = JSON.stringify(await nodes.db('webhooks').select('*'))
  expect(stored).not.toContain('whsec_')
  expect(stored).not.toContain(owner.secret.slice(6))

  const { secret_sealed } = await nodes.db('webhooks').first('secret_sealed').where({ id: other.id })
  await nodes.db('webhooks').where({ id: owner.id }).update({ secret_sealed })
  await owner.announce()
  await nodes.deliverDue()
  expect(owner.receiver.received).toEqual([])
  expect(await nodes.rows()).toMatchObject([
    { attempts: 1, last_error: 'secret_unreadable', given_up_at: null },
  ])
  expect(nodes.logged()).toContain('"part":"webhooks"')
})

test('deliveries are kept for a week, and those given up for a month', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await using gone = await givenWebhook(nodes)
  gone.receiver.behaves({ status: 410 })
  await Promise.all([owner.announce(), gone.announce()])
  await nodes.deliverDue()
  /** A worker clears when it starts, and does not stop in the middle of it. */
  const left = async () => {
    await nodes.startWorker().close(5_000)
    return (await nodes.rows()).map(({ webhook_id }) => webhook_id)
  }
  nodes.pass(7 * DAY - MINUTE)
  expect((await left()).sort()).toEqual([owner.id, gone.id].sort())
  nodes.pass(2 * MINUTE)
  expect(await left()).toEqual([gone.id])
  nodes.pass(22 * DAY)
  expect(await left()).toEqual([gone.id])
  nodes.pass(DAY)
  expect(await left()).toEqual([])
})

test('what is still to be delivered is never cleared', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await owner.announce()
  nodes.pass(100 * DAY)
  expect(await nodes.webhookDeliveries.prune('delivered_at', nodes.clock.now(), 10)).toBe(0)
  expect(await nodes.webhookDeliveries.prune('given_up_at', nodes.clock.now(), 10)).toBe(0)
  expect(await nodes.deliverDue()).toBe(1)
})

test('a worker outlives a database that fails for a while', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  await nodes.db.raw('ALTER TABLE webhook_deliveries RENAME TO away')
  nodes.startWorker()
  await until(() => nodes.logged().includes('"part":"webhooks"'), { description: 'the fault is told' })
  await nodes.db.raw('ALTER TABLE away RENAME TO webhook_deliveries')
  await owner.announce()
  await until(() => owner.receiver.received.length === 1, { description: 'it goes on' })
})

test('a tenant has at most five, however many are asked for at once', async () => {
  await using nodes = await openWebhookNodes()
  const [tenantId, other] = [await nodes.givenTenant(), await nodes.givenTenant()]
  const url = (index: number) => `https://example.com/${index}`
  const asked = Array.from({ length: 12 }, (_, index) => nodes.webhooks.create(tenantId, url(index)))
  const results = await Promise.allSettled(asked)
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'too_many_webhooks' })
  }
  expect(await nodes.webhooks.list(tenantId)).toHaveLength(5)
  await nodes.webhooks.create(other, url(1))
  const twice = await Promise.allSettled([1, 2].map(() => nodes.webhooks.create(other, url(2))))
  expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

test('a delivery that ended begins anew on demand, and one that waits need not wait', async () => {
  await using nodes = await openWebhookNodes()
  await using owner = await givenWebhook(nodes)
  owner.receiver.answers({ status: 200 }, { status: 500 }, { status: 410 })
  const eventId = await nodes.webhooks.test(owner.tenantId, owner.id)
  const again = () => nodes.webhooks.redeliver(owner.tenantId, owner.id, eventId)
  await nodes.deliverDue()
  expect(await nodes.rows()).toMatchObject([{ attempts: 1, last_status: 200 }])

  await again()
  await nodes.deliverDue()
  expect(await nodes.rows()).toMatchObject([{ attempts: 1, delivered_at: null, last_status: 500 }])
  expect(await nodes.deliverDue()).toBe(0)

  await again()
  await nodes.deliverDue()
  expect(await nodes.rows()).toMatchObject([{ attempts: 2, next_attempt_at: null, last_status: 410 }])

  await again()
  await nodes.deliverDue()
  expect(await nodes.rows()).toMatchObject([{ attempts: 1, given_up_at: null, last_status: 200 }])
  expect(new Set(owner.receiver.received.map(({ body }) => body)).size).toBe(1)
})
