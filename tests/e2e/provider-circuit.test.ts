import { until } from '../support/conditions.ts'
import { query } from '../support/databases.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { recordedLogger } from '../support/recorded-logger.ts'

const isDown = async ({ context }: TestGateway, app: string) =>
  (await context.metrics.registry.metrics()).includes(
    `wakeline_provider_down{app="${app}",provider="apns"} 1`,
  )

const tries = ({ database }: TestGateway) => query(database.url, 'SELECT DISTINCT push_id FROM push_attempts')

describe.each(BACKENDS)('messages and a provider that refuses on %s', (backend) => {
  const apple = (gateway: TestGateway, change: Record<string, unknown> = {}) =>
    gateway.message({ push_platform: 'apns', push_token: apnsToken(), ...change })

  test.each([
    ['a phone that has had too much', { status: 429, reason: 'TooManyRequests' }],
    ['a refused topic', { status: 400, reason: 'BadTopic' }],
  ])('%s holds up nobody else', async (_what, answer) => {
    await using gateway = await startTestGateway({ backend })
    const push_token = apnsToken()
    gateway.simulators.apns.behaves(push_token, answer)
    const many = await Promise.all(Array.from({ length: 40 }, () => apple(gateway, { push_token })))
    expect(many.map(({ status }) => status)).toEqual(many.map(() => 202))
    await until(async () => (await tries(gateway)).length === many.length, {
      description: 'all of them were refused once',
    })
    expect(await isDown(gateway, 'default')).toBe(false)
    const other = await apple(gateway)
    expect(await gateway.ended(other.json.data.push_id)).toMatchObject({ delivered: true, attempts: 1 })
  })

  test.each([
    ['config', { status: 403, reason: 'InvalidProviderToken' }],
    ['provider_token', { status: 429, reason: 'TooManyProviderTokenUpdates' }],
  ])('a person is told at the first refusal of class %s, and not once for each', async (fault, answer) => {
    const { lines, logger } = recordedLogger('error')
    await using gateway = await startTestGateway({ backend, logger })
    const tokens = Array.from({ length: 5 }, apnsToken)
    for (const token of tokens) gateway.simulators.apns.behaves(token, answer)
    const answers = await Promise.all(tokens.map((push_token) => apple(gateway, { push_token })))
    const { registry } = gateway.context.metrics
    const counter = `wakeline_provider_refusals_total{app="default",provider="apns",reason="${answer.reason}",class="${fault}"}`
    const counted = async () =>
      Number((await registry.metrics()).split(`${counter} `)[1]?.split('\n')[0] ?? 0)
    await until(async () => (await counted()) >= tokens.length, { description: 'every refusal is counted' })
    const alarms = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ event }) => event === 'provider.refused')
    expect(alarms).toMatchObject([{ app: 'default', provider: 'apns', class: fault, reason: answer.reason }])
    // They wait for the person.
    for (const token of tokens) gateway.simulators.apns.forgets(token)
    const ends = await Promise.all(answers.map(({ json }) => gateway.ended(json.data.push_id)))
    expect(ends.every(({ delivered }) => delivered)).toBe(true)
  })

  test('an app whose provider is out of reach holds up no other app', async () => {
    const nowhere = 'https://127.0.0.1:1'
    await using gateway = await startTestGateway({
      backend,
      otherApps: ({ apns }) => [
        { id: 'other', apns: { ...apns, endpoints: { production: nowhere, sandbox: nowhere } } },
      ],
    })
    await Promise.all(Array.from({ length: 40 }, () => apple(gateway, { app_id: 'other' })))
    await until(() => isDown(gateway, 'other'), { description: 'the outage is noticed' })
    const begin = performance.now()
    const mine = await apple(gateway)
    expect(await gateway.ended(mine.json.data.push_id)).toMatchObject({ delivered: true, attempts: 1 })
    expect(performance.now() - begin).toBeLessThan(4_000)
    expect(await isDown(gateway, 'default')).toBe(false)
  })

  test('a call to a phone that has had too much is tried once more', async () => {
    await using gateway = await startTestGateway({ backend })
    const push_token = apnsToken()
    gateway.simulators.apns.behaves(push_token, { status: 429, reason: 'TooManyRequests' })
    const { status } = await gateway.push({ push_token, ttl: 30 })
    expect(status).toBe(502)
    expect(gateway.simulators.apns.received).toHaveLength(2)
    const google = fcmToken()
    gateway.simulators.fcm.answers(google, { status: 429, errorCode: 'QUOTA_EXCEEDED' })
    await gateway.push({ push_platform: 'fcm', push_token: google, ttl: 30 })
    expect(gateway.simulators.fcm.received).toHaveLength(1)
  })
})
