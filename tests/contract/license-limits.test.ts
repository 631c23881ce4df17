import { newId } from '../../src/lib/ids.ts'
import { type Answer, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenLicensed, statuses, times } from '../support/licensed.ts'

describe.each(BACKENDS)('what a licence may ask of us in a minute on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, nodes: 2, patient: true, workers: false })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const asked = async (answers: readonly Answer[], limit: number, hint: string) => {
    const stopped = answers.filter(({ status }) => status === 429)
    expect(answers.length - stopped.length).toBe(limit)
    for (const { json, headers } of stopped) {
      expect(json).toMatchObject({ data: null, error: 'rate limit exceeded', code: 'rate_limited', hint })
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
  }
  /** So many at a time: a thousand at once would only wait for each other. */
  const inTurn = async (count: number, work: (index: number) => Promise<Answer>): Promise<Answer[]> => {
    const answers: Answer[] = []
    while (answers.length < count) {
      const from = answers.length
      answers.push(...(await times(Math.min(50, count - from), (i) => work(from + i))))
    }
    return answers
  }

  test.each([
    ['the smallest', { tier: 'free' }, 60],
    ['one for 30 machines', { tier: 'custom', maxExtensions: 5, maxInstallations: 30 }, 90],
  ] as const)('%s takes and gives back seats so often', async (_name, terms, limit) => {
    const { owner } = await givenLicensed(gateway, terms)
    const work = (index: number) =>
      index % 3 === 0
        ? owner('POST', '/v1/license/activate', { hostname: 'pbx1' })
        : owner('POST', '/v1/license/deactivate', { instance_id: newId() })
    const answers = await inTurn(limit + 20, work)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 404, 429]))
    await asked(
      answers,
      limit,
      `activations, deactivations and transfers of a licence: ${limit} a minute together`,
    )
    // Another licence has its own, and so has what is asked about this one.
    expect((await owner('GET', '/v1/license/status')).status).toBe(200)
    const other = await givenLicensed(gateway)
    expect((await other.owner('POST', '/v1/license/activate', { hostname: 'pbx1' })).status).toBe(200)
  })

  test('beats and asks about its state so often, and validates from memory without end', async () => {
    const { owner, call } = await givenLicensed(gateway)
    const { instance_id } = (await owner('POST', '/v1/license/activate', { hostname: 'pbx1' })).json.data
    const questions = [
      () => owner('POST', '/v1/license/heartbeat', { instance_id }),
      () => owner('POST', '/v1/license/validate', { instance_id }),
      () => owner('POST', '/v1/license/validate', { hostname: 'pbx1' }),
      () => owner('GET', '/v1/license/status'),
      () => owner('GET', '/v1/license/installations'),
      () => owner('GET', '/v1/license/usage'),
    ]
    const answers = await inTurn(630, (i) => (questions[i % questions.length] as () => Promise<Answer>)())
    await asked(
      answers,
      600,
      'heartbeats and questions about its state, its machines and its usage of a licence: 600 a minute together',
    )
    for (const ask of questions) expect((await ask()).status).toBe(429)
    expect(statuses(await inTurn(700, () => owner('POST', '/v1/license/validate', {})))).toEqual({ 200: 700 })
    expect((await call()).status).toBe(202)
  })
})
