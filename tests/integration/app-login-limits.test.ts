import { createLoginCounts } from '../../src/app/login-counts.ts'
import { createLoginLimits, type LoginLimits } from '../../src/app/login-limits.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { Problem } from '../../src/lib/problem.ts'
import { HOUR, MINUTE, SECOND } from '../../src/lib/units.ts'
import type { Counters } from '../../src/limits/counters.ts'
import { givenExtension, logIn, SIP_PASSWORD } from '../support/app-login.ts'
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
    await inChunks(guesses, 40, async (i) => {
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
    // On both nodes.
    expect((await guess('3004', SIP_PASSWORD, undefined, 0)).status).toBe(200)
    expect((await guess('3004', SIP_PASSWORD, undefined, 1)).status).toBe(200)
  })

  test('one guess at each of 1,000 extensions from one address: it is blocked', async () => {
    const checks = countChecks(gateway)
    const numbers = Array.from({ length: 1_000 }, (_, i) => `5${i}`)
    const statuses = new Set<number>()
    await inChunks(numbers, 8, async (number) => {
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

describe('the limits by the clock', () => {
  /** Counters that do what the store does, by a clock of the test. */
  function givenCounters(clock: { monotonic(): number }) {
    const rows = new Map<string, { total: number; endsAt: number }>()
    const live = (key: string) => {
      const row = rows.get(key)
      return row && row.endsAt > clock.monotonic() ? row : undefined
    }
    const tell = (row: { total: number; endsAt: number }) => ({
      total: row.total,
      msLeft: row.endsAt - clock.monotonic(),
    })
    return {
      async add(key: string, points: number, windowSeconds: number) {
        const row = live(key) ?? { total: 0, endsAt: clock.monotonic() + windowSeconds * SECOND }
        rows.set(key, { ...row, total: row.total + points })
        return tell(rows.get(key) ?? row)
      },
      async read(key: string) {
        const row = live(key)
        return row && tell(row)
      },
      forget: async (key: string) => void rows.delete(key),
      isAway: () => false,
      sweep: async () => undefined,
    } satisfies Counters
  }

  const keyring = createKeyring(new Uint8Array(32))
  const subject = { tenantId: 't', number: '1001' }
  const startClock = () => {
    let at = 1_000
    return {
      monotonic: () => at,
      pass(ms: number) {
        at += ms
      },
    }
  }
  const limitsOver = (counters: Counters, clock: { monotonic(): number }) =>
    createLoginLimits({ loginCounts: createLoginCounts(counters, clock), keyring, guardsAddresses: true })
  const waitOf = async (limits: LoginLimits): Promise<number> => {
    const refused = await limits.take(subject, '192.0.2.1').catch((error: unknown) => error)
    if (!(refused instanceof Problem)) throw new Error('it was let pass')
    return refused.details.retryAfter ?? 0
  }

  test('the pauses are 1, 2, 4, 8 and 15 minutes; the lock is an hour', async () => {
    const clock = startClock()
    const limits = limitsOver(givenCounters(clock), clock)
    for (let i = 0; i < 5; i += 1) await limits.take(subject, '192.0.2.1')
    const pauses: number[] = []
    for (let i = 0; i < 6; i += 1) {
      const seconds = await waitOf(limits)
      pauses.push(seconds / 60)
      clock.pass(seconds * SECOND)
      await limits.take(subject, '192.0.2.1')
    }
    expect(pauses).toEqual([1, 2, 4, 8, 15, 15])
  })

  test('what is refused during a pause makes it no longer', async () => {
    const clock = startClock()
    const limits = limitsOver(givenCounters(clock), clock)
    for (let i = 0; i < 5; i += 1) await limits.take(subject, '192.0.2.1')
    for (let i = 0; i < 200; i += 1) await waitOf(limits)
    clock.pass(MINUTE)
    await limits.take(subject, '192.0.2.1')
    expect(await waitOf(limits)).toBe(120)
  })

  test('what nobody has looked at does not count', async () => {
    const clock = startClock()
    const limits = limitsOver(givenCounters(clock), clock)
    for (let i = 0; i < 100; i += 1) await (await limits.take(subject, '192.0.2.1')).unseen()
    await limits.take(subject, '192.0.2.1')
  })

  test('fifty failures at other extensions block an address, and no other, for a quarter of an hour', async () => {
    const clock = startClock()
    const limits = limitsOver(givenCounters(clock), clock)
    const tryOne = (i: number, address: string) => limits.take({ number: `n${i}` }, address)
    for (let i = 0; i < 50; i += 1) await tryOne(i, '192.0.2.1')
    await expect(tryOne(50, '192.0.2.1')).rejects.toMatchObject({ details: { retryAfter: 900 } })
    await (await tryOne(51, '192.0.2.2')).right()
    clock.pass(15 * MINUTE)
    // Right passwords are no failures, however many.
    for (let i = 0; i < 200; i += 1) await (await tryOne(52, '192.0.2.1')).right()
  })

  test('after an hour nothing is held against anybody', async () => {
    const clock = startClock()
    const limits = limitsOver(givenCounters(clock), clock)
    for (let round = 0; round < 5; round += 1) {
      for (let i = 0; i < 4; i += 1) await limits.take(subject, '192.0.2.1')
      if (round < 4) await (await limits.take(subject, '192.0.2.1')).right()
    }
    expect(await waitOf(limits)).toBe(3_600)
    clock.pass(HOUR)
    await limits.take(subject, '192.0.2.1')
  })

  test('with the shared counters away each node counts by itself', async () => {
    const clock = startClock()
    const away = () => Promise.reject(new Error('away'))
    const limits = limitsOver({ ...givenCounters(clock), add: away, read: away, forget: away }, clock)
    for (let i = 0; i < 5; i += 1) await limits.take(subject, '192.0.2.1')
    expect(await waitOf(limits)).toBe(60)
    await limits.unlock(subject)
    await limits.take(subject, '192.0.2.1')
  })
})
