import { Redis } from 'ioredis'
import { until } from '../support/conditions.ts'
import { query } from '../support/databases.ts'
import { apnsToken, BACKENDS, callId, startTestGateway } from '../support/gateway.ts'
import { recordedLogger } from '../support/recorded-logger.ts'
import { sharedRedisUrl } from '../support/redis-server.ts'

describe.each(BACKENDS)('delivery on %s', (backend) => {
  test('leaves no token, key or number in jobs, signals, rows, metrics or logs', async () => {
    const { lines, logger } = recordedLogger()
    await using gateway = await startTestGateway({ backend, logger })
    const [good, dead] = [apnsToken(), apnsToken()]
    gateway.simulators.apns.behaves(dead, { status: 410, reason: 'Unregistered', timestamp: Date.now() })
    const caller_id = '+49301234567'
    await gateway.push({ push_token: good, caller_id, caller_name: 'Ada Lovelace' })
    await gateway.push({ push_token: dead, caller_id })
    await gateway.push({ push_token: good, license_key: 'WL-WRONG-KEY' })
    const phone = await gateway.givenPhone({ extension: '100', token: apnsToken() })
    const held = await gateway.call('100', { body: { caller_id } })
    expect(held.json.data.outcome).toBe('registered')
    await until(async () => (await gateway.pushLog()).every((row) => row.closed_at), {
      description: 'all rows are closed',
    })

    const stored = [
      held.text,
      ...lines,
      await gateway.context.metrics.registry.metrics(),
      JSON.stringify(await gateway.pushLog()),
      JSON.stringify(await query(gateway.database.url, 'SELECT * FROM device_tokens')),
      await dumpOf(backend, gateway.config.queue.prefix, gateway.database.url),
    ].join('\n')
    expect(stored.length).toBeGreaterThan(5_000)
    for (const secret of [
      good,
      phone.token,
      dead,
      gateway.tenant.licenseKey,
      gateway.tenant.pbxKey,
      caller_id,
      'Ada Lovelace',
      'WL-WRONG-KEY',
    ]) {
      expect(stored).not.toContain(secret)
    }
  })

  test('keeps the token of a phone that registered again after Apple saw it gone', async () => {
    await using gateway = await startTestGateway({ backend })
    const phone = await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 'never' } })
    gateway.simulators.apns.answers(phone.token, {
      status: 410,
      reason: 'Unregistered',
      timestamp: Date.now() - 60_000,
    })
    expect((await gateway.call('100')).json.data.outcome).toBe('unreachable')
    // The answer was about an earlier installation: the token is still used.
    const again = gateway.call('100', { wait: 1 })
    await until(() => phone.rang.length === 1, { description: 'the phone rings' })
    expect((await again).json.data.outcome).toBe('timeout')
  })

  test('counts every end of a push and every hold', async () => {
    await using gateway = await startTestGateway({ backend })
    const token = apnsToken()
    gateway.simulators.apns.answers(token, { status: 400, reason: 'BadTopic' })
    await gateway.push({ push_token: token })
    await gateway.push()
    await gateway.givenPhone({ extension: '100', behaviour: { registersAfterMs: 10 } })
    await gateway.call('100')
    const counted = () => gateway.context.metrics.registry.metrics()
    const pushes = [
      'wakeline_pushes_total{provider="apns",kind="call",state="rejected",reason="BadTopic"} 1',
      'wakeline_pushes_total{provider="apns",kind="call",state="delivered",reason=""} 2',
    ]
    // An end is counted after it was told.
    const metrics = await until(
      async () => {
        const text = await counted()
        return pushes.every((line) => text.includes(line)) ? text : undefined
      },
      { description: `the metrics are ${pushes.join(' and ')}` },
    )
    expect(metrics).toContain('wakeline_hold_seconds_count{outcome="registered"} 1')
    expect(metrics).toContain('wakeline_wake_seconds_count 1')
  })

  test('with PostgreSQL away a push still rings, and its row follows', async () => {
    await using gateway = await startTestGateway({ backend: 'redis' })
    const token = apnsToken()
    await gateway.push() // the licence is known from here on
    const { db } = gateway.context
    await db.raw('ALTER TABLE push_logs RENAME TO push_logs_away')
    const begin = performance.now()
    const answer = await gateway.push({ push_token: token })
    expect(answer.json.data.delivered).toBe(true)
    expect(performance.now() - begin).toBeLessThan(4_000)
    await db.raw('ALTER TABLE push_logs_away RENAME TO push_logs')
    const id = answer.json.data.push_id
    await until(
      async () => (await gateway.pushLog()).some((row) => row.id === id && row.state === 'delivered'),
      {
        description: 'the row is there',
      },
    )
  })

  test('a call rings although the store breaks while its worker asks for the right to send', async () => {
    await using gateway = await startTestGateway({ backend })
    const { signals } = gateway.context
    const { claim } = signals
    let breaks = 3
    signals.claim = async (key, ...asked) => {
      const answer = await claim(key, ...asked)
      if (key.startsWith('claim.') && breaks-- > 0) throw new Error('the connection broke')
      return answer
    }
    const push_token = apnsToken()
    const { json } = await gateway.push({ push_token })
    expect(breaks).toBeLessThan(0)
    expect(json.data).toMatchObject({ delivered: true, attempts: 1 })
    expect(gateway.simulators.apns.received.filter(({ token }) => token === push_token)).toHaveLength(1)
  })

  test('a push that two workers got hold of rings once', async () => {
    await using gateway = await startTestGateway({ backend })
    const { context } = gateway
    const push = {
      id: '0197a6a0-0000-8000-8000-000000000001',
      tenantId: gateway.tenant.tenantId,
      kind: 'call',
      provider: 'apns',
      environment: 'production',
      appId: 'default',
      tokenKind: 'apns_voip',
      privacy: 'full',
      token: apnsToken(),
      tokenHash: 'ab'.repeat(32),
      content: { callId: callId(), callUuid: '0197a6a0-0000-8000-8000-000000000002', callerId: '1' },
      acceptedAt: Date.now(),
      expiresAt: Date.now() + 10_000,
    } as const
    const attempt = { number: 0, last: false, pauseMs: 250 }
    gateway.simulators.apns.answers(push.token, { status: 200, delayMs: 1_200 })
    await Promise.all(Array.from({ length: 10 }, () => context.deliverCall(push, 'nobody', attempt)))
    expect(gateway.simulators.apns.received.filter(({ token }) => token === push.token)).toHaveLength(1)
    // Those who came second wait for the first, however slow the vendor: what it says counts.
    expect(await gateway.pushLog()).toMatchObject([{ state: 'delivered', attempts: 1 }])
  })
})

async function dumpOf(backend: string, prefix: string, databaseUrl: string): Promise<string> {
  const rows = await Promise.all(
    ['bullmq.job', 'signals'].map((table) => query(databaseUrl, `SELECT t::text AS row FROM ${table} t`)),
  )
  if (backend === 'postgres') return JSON.stringify(rows)
  const redis = new Redis(sharedRedisUrl())
  try {
    const keys = await redis.keys(`${prefix}:*`)
    expect(keys.length).toBeGreaterThan(5)
    const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)))
    return dumps.map((dump) => dump?.toString('latin1') ?? '').join('\n') + keys.join('\n')
  } finally {
    redis.disconnect()
  }
}
