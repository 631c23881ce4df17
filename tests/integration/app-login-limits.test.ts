import { givenExtension, logIn, SIP_PASSWORD } from '../support/app-login.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator } from '../support/operators.ts'

/** Each from an address of its own, unless it says from which. */
let lastAddress = 0
const from = (address?: string) => {
  lastAddress += 1
  return { 'x-forwarded-for': address ?? `198.18.${lastAddress >> 8}.${lastAddress & 255}` }
}

/** Counts the passwords that are looked at, on all nodes. */
function countChecks({ nodes }: TestGateway): () => number {
  let checks = 0
  for (const { context } of nodes) {
    const { matches } = context.passwords
    context.passwords.matches = (...given) => {
      checks += 1
      return matches(...given)
    }
  }
  return () => checks
}

const inChunks = async <T>(items: readonly T[], size: number, work: (item: T) => Promise<void>) => {
  for (let i = 0; i < items.length; i += size) await Promise.all(items.slice(i, i + size).map(work))
}

describe.each(BACKENDS)('guessing, over two nodes on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({
      ...{ backend, workers: false, nodes: 2, patient: true as const },
      env: { TRUST_PROXY_HOPS: '1' },
    })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  const guess = (extension: string, password: string, address?: string, node = lastAddress % 2) =>
    logIn(gateway, extension, {
      password,
      headers: from(address),
      ...(gateway.nodes[node] && { base: gateway.nodes[node].url }),
    })

  test('1,000 guesses at one extension from 1,000 addresses: at most 20 are looked at', async () => {
    await givenExtension(gateway, '3001')
    const checks = countChecks(gateway)
    const statuses = new Map<number, number>()
    const guesses = Array.from({ length: 1_000 }, (_, i) => i)
    await inChunks(guesses, 100, async (i) => {
      const { status } = await guess('3001', `guess ${i}`)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    })
    expect(checks()).toBeGreaterThan(0)
    // Twenty are what is promised. It is five, and one more when the first pause is over.
    expect(checks()).toBeLessThanOrEqual(8)
    expect([...statuses.keys()].sort()).toEqual([401, 429])
    expect(statuses.get(401)).toBe(checks())
  })

  test('five failures make it wait, also for the right password, and it says how long', async () => {
    await givenExtension(gateway, '3002')
    for (let i = 0; i < 5; i += 1) expect((await guess('3002', 'wrong')).status).toBe(401)
    const right = await guess('3002', SIP_PASSWORD)
    expect(right.status).toBe(429)
    expect(right.json).toMatchObject({ error: 'too many failed logins', code: 'login_locked' })
    const wait = Number(right.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(30)
    expect(wait).toBeLessThanOrEqual(60)
  })

  test('an extension that is not there waits as well', async () => {
    for (let i = 0; i < 5; i += 1) expect((await guess('3999', 'wrong')).status).toBe(401)
    expect((await guess('3999', 'wrong')).status).toBe(429)
  })

  test('a right password begins anew, but twenty failures in an hour lock all the same', async () => {
    await givenExtension(gateway, '3003')
    for (let round = 0; round < 5; round += 1) {
      for (let i = 0; i < 4; i += 1) expect((await guess('3003', 'wrong')).status).toBe(401)
      if (round < 4) expect((await guess('3003', SIP_PASSWORD)).status).toBe(200)
    }
    const locked = await guess('3003', SIP_PASSWORD)
    expect(locked.status).toBe(429)
    const wait = Number(locked.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(45 * 60)
    expect(wait).toBeLessThanOrEqual(60 * 60)
  })

  test('an operator unlocks it, a viewer does not', async () => {
    await givenExtension(gateway, '3004')
    for (let i = 0; i < 5; i += 1) await guess('3004', 'wrong')
    const body = { tenant_id: gateway.tenant.tenantId, extension: '3004' }
    const unlock = async (role: 'viewer' | 'operator', change = {}) => {
      const { cookie } = await givenOperator(gateway, role)
      return gateway.request('POST', '/api/v1/operator/extensions/unlock', {
        body: { ...body, ...change },
        headers: { cookie },
      })
    }
    expect((await unlock('viewer')).status).toBe(403)
    expect((await guess('3004', SIP_PASSWORD)).status).toBe(429)
    expect((await unlock('operator', { extension: '9999' })).status).toBe(404)
    expect((await unlock('operator')).status).toBe(200)
    // On both nodes; the one that was not asked believes for a moment what it knew.
    expect((await guess('3004', SIP_PASSWORD, undefined, 0)).status).toBe(200)
    await until(async () => (await guess('3004', SIP_PASSWORD, undefined, 1)).status === 200, {
      description: 'the other node has heard of it',
    })
  })

  test('one guess at each of 1,000 extensions from one address: it is blocked', async () => {
    const checks = countChecks(gateway)
    const numbers = Array.from({ length: 1_000 }, (_, i) => `5${i}`)
    const statuses = new Set<number>()
    await inChunks(numbers, 100, async (number) => {
      statuses.add((await guess(number, 'wrong', '203.0.113.7')).status)
    })
    expect(checks()).toBeLessThanOrEqual(50)
    expect([...statuses].sort()).toEqual([401, 429])
  })

  test('who shares an address with somebody who forgot his password logs in', async () => {
    await givenExtension(gateway, '3005')
    await givenExtension(gateway, '3006')
    const office = '203.0.113.8'
    // By itself, because a request more would be one too many in this second.
    for (let i = 0; i < 9; i += 1) await guess('3005', 'wrong', office)
    await gateway.context.counters.forget(`app-requests.${office}`)
    expect((await guess('3006', SIP_PASSWORD, office)).status).toBe(200)
  })

  test('more than ten requests at once from one address: the words of the contract', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => guess(`6${i}`, 'wrong', '203.0.113.9', 0)),
    )
    const limited = answers.filter(({ json }) => json.error === 'rate limit exceeded')
    expect(limited.length).toBeGreaterThanOrEqual(10)
    for (const { status, headers } of limited) {
      expect([status, headers.get('retry-after')]).toEqual([429, '1'])
    }
  })

  test('all addresses of an IPv6 network are one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => guess(`7${i}`, 'wrong', `2001:db8:1:2::${i + 1}`, 0)),
    )
    expect(answers.some(({ json }) => json.error === 'rate limit exceeded')).toBe(true)
  })
})

describe.each(BACKENDS)(
  'one guess at each of 1,000 extensions from 1,000 addresses, over two nodes on %s',
  (backend) => {
    const numbers = Array.from({ length: 1_000 }, (_, i) => String(10_000 + i))

    test.each([
      ['that are there', true],
      ['of which there is none', false],
    ])('at extensions %s: some hundred are looked at, and others log in', async (_which, isThere) => {
      await using gateway = await startTestGateway({
        ...{ backend, workers: false, nodes: 2, patient: true as const },
        env: { TRUST_PROXY_HOPS: '1' },
        terms: { maxExtensions: 2_000 },
      })
      const { context, nodes } = gateway
      const neighbour = await gateway.otherTenant()
      await context.tenantSettings.change(neighbour.tenantId, { appHost: 'neighbour.example' })
      await givenExtension(gateway, '100', { tenantId: neighbour.tenantId })
      if (isThere) {
        const password_hash = await context.passwords.hash(SIP_PASSWORD)
        await context
          .db('extensions')
          .insert(numbers.map((number) => ({ tenant_id: gateway.tenant.tenantId, number, password_hash })))
      }
      const checks = countChecks(gateway)
      const statuses = new Set<number>()
      await inChunks(numbers, 100, async (number) => {
        const base = nodes[Number(number) % 2]?.url ?? gateway.url
        statuses.add((await logIn(gateway, number, { password: 'wrong', headers: from(), base })).status)
      })
      expect(checks()).toBeLessThanOrEqual(200)
      expect([...statuses].sort()).toEqual([401, 429])
      // Who is named by a host of its own does not suffer for it.
      expect((await logIn(gateway, '100@neighbour.example', { headers: from() })).status).toBe(200)
    })
  },
)

test('a process takes so many logins at a time, and tells the others at once to come again', async () => {
  await using gateway = await startTestGateway({
    ...{ backend: 'postgres', workers: false, patient: true as const },
    env: { RATE_LIMITS: 'off' },
  })
  const { passwords } = gateway.context
  const { matches } = passwords
  const open = Promise.withResolvers<void>()
  let isHeld = true
  passwords.matches = async (...given) => {
    if (isHeld) await open.promise
    return matches(...given)
  }
  await givenExtension(gateway, '3100')
  const answers = Array.from({ length: 60 }, (_, i) => logIn(gateway, `9${i}`, { password: 'wrong' }))
  const first = await Promise.race(answers)
  expect([first.status, first.json.code, first.headers.get('retry-after')]).toEqual([
    429,
    'rate_limited',
    '1',
  ])
  // Before the others make room again.
  let refused = 0
  for (const answer of answers) {
    void answer.then(() => {
      refused += 1
    })
  }
  await until(() => refused === 28, { description: 'those beyond 32 have their answer' })
  isHeld = false
  open.resolve()
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 401)).toHaveLength(32)
  expect((await logIn(gateway, '3100')).status).toBe(200)
})

test('addresses that a client makes up do not help it', async () => {
  await using gateway = await startTestGateway({ backend: 'postgres', workers: false, patient: true })
  const checks = countChecks(gateway)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => {
      const address = `192.0.2.${i}`
      const headers = { 'x-forwarded-for': address, forwarded: `for=${address}`, 'x-real-ip': address }
      return logIn(gateway, `8${i}`, { password: 'wrong', headers })
    }),
  )
  expect(checks()).toBeLessThanOrEqual(50)
  expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(100)
})
