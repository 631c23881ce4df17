import { createLoginCounts } from '../../src/app/login-counts.ts'
import { createLoginLimits, type LoginLimits } from '../../src/app/login-limits.ts'
import { createLoginRefusals } from '../../src/app/login-refusals.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { Problem } from '../../src/lib/problem.ts'
import { HOUR, MINUTE, SECOND } from '../../src/lib/units.ts'
import type { Counters } from '../../src/limits/counters.ts'

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
  createLoginLimits({
    ...{ keyring, guardsAddresses: true },
    loginCounts: createLoginCounts(counters, clock),
    loginRefusals: createLoginRefusals(clock, keyring),
  })
const ask = (address = '192.0.2.1', number = '1001') => ({ number, host: 'pbx.example.com', address })
const waitOf = async (limits: LoginLimits): Promise<number> => {
  const refused = await limits.take(subject, ask()).catch((error: unknown) => error)
  if (!(refused instanceof Problem)) throw new Error('it was let pass')
  return refused.details.retryAfter ?? 0
}

test('the pauses are 1, 2, 4, 8 and 15 minutes; the lock is an hour', async () => {
  const clock = startClock()
  const limits = limitsOver(givenCounters(clock), clock)
  for (let i = 0; i < 5; i += 1) await limits.take(subject, ask())
  const pauses: number[] = []
  for (let i = 0; i < 6; i += 1) {
    const seconds = await waitOf(limits)
    pauses.push(seconds / 60)
    clock.pass(seconds * SECOND)
    await limits.take(subject, ask())
  }
  expect(pauses).toEqual([1, 2, 4, 8, 15, 15])
})

test('what is refused during a pause makes it no longer', async () => {
  const clock = startClock()
  const limits = limitsOver(givenCounters(clock), clock)
  for (let i = 0; i < 5; i += 1) await limits.take(subject, ask())
  for (let i = 0; i < 200; i += 1) await waitOf(limits)
  clock.pass(MINUTE)
  await limits.take(subject, ask())
  expect(await waitOf(limits)).toBe(120)
})

test('what nobody has looked at does not count', async () => {
  const clock = startClock()
  const limits = limitsOver(givenCounters(clock), clock)
  for (let i = 0; i < 100; i += 1) await (await limits.take(subject, ask())).unseen()
  await limits.take(subject, ask())
})

test('fifty failures at other extensions block an address, and no other, for a quarter of an hour', async () => {
  const clock = startClock()
  const limits = limitsOver(givenCounters(clock), clock)
  const tryOne = (i: number, address: string) => limits.take({ number: `n${i}` }, ask(address, `n${i}`))
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
    for (let i = 0; i < 4; i += 1) await limits.take(subject, ask())
    if (round < 4) await (await limits.take(subject, ask())).right()
  }
  expect(await waitOf(limits)).toBe(3_600)
  clock.pass(HOUR)
  await limits.take(subject, ask())
})

test('with the shared counters away each node counts by itself', async () => {
  const clock = startClock()
  const away = () => Promise.reject(new Error('away'))
  const limits = limitsOver({ ...givenCounters(clock), add: away, read: away, forget: away }, clock)
  for (let i = 0; i < 5; i += 1) await limits.take(subject, ask())
  expect(await waitOf(limits)).toBe(60)
  await limits.unlock(subject)
  await limits.take(subject, ask())
})

test('guesses that come together lengthen no wait, and those that were refused count nowhere', async () => {
  const clock = startClock()
  const limits = limitsOver(givenCounters(clock), clock)
  const together = async (count: number) => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: count }, (_, i) => limits.take(subject, ask(`192.0.2.${i}`))),
    )
    const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    const waits = new Set(refused.map(({ reason }) => (reason as Problem).details.retryAfter))
    return { passed: count - refused.length, waits: [...waits] }
  }
  expect(await together(100)).toEqual({ passed: 5, waits: [60] })
  for (const minutes of [1, 2, 4]) {
    clock.pass(minutes * MINUTE)
    expect(await together(100)).toEqual({ passed: 1, waits: [2 * minutes * 60] })
  }
})

test('what was refused is refused again without a question, and asked anew after two seconds', async () => {
  const clock = startClock()
  const counters = givenCounters(clock)
  let questions = 0
  const counting =
    <Args extends unknown[], Result>(work: (...args: Args) => Result) =>
    (...args: Args) => {
      questions += 1
      return work(...args)
    }
  const limits = limitsOver(
    { ...counters, add: counting(counters.add), read: counting(counters.read) },
    clock,
  )
  for (let i = 0; i < 5; i += 1) await limits.take(subject, ask())
  await waitOf(limits)
  questions = 0
  for (let i = 0; i < 100; i += 1) {
    await expect(limits.enter(ask(`198.51.100.${i}`))).rejects.toMatchObject({ code: 'login_locked' })
  }
  expect(questions).toBe(0)
  clock.pass(2 * SECOND)
  await limits.enter(ask('203.0.113.1'))
  expect(questions).toBeGreaterThan(0)
  // The others wait for what it hears. That is nothing, as after an unlock on another node, so all may go on.
  questions = 0
  await expect(limits.enter(ask('203.0.113.2'))).rejects.toMatchObject({ code: 'login_locked' })
  expect(questions).toBe(0)
  clock.pass(SECOND)
  for (let i = 0; i < 10; i += 1) await limits.enter(ask(`203.0.113.${i}`))
})

test('a right password ends the pause also for who was just refused', async () => {
  const clock = startClock()
  const limits = limitsOver(givenCounters(clock), clock)
  for (let i = 0; i < 4; i += 1) await limits.take(subject, ask())
  const fifth = await limits.take(subject, ask())
  await waitOf(limits)
  await expect(limits.enter(ask())).rejects.toMatchObject({ code: 'login_locked' })
  await fifth.right()
  await limits.enter(ask())
  await limits.take(subject, ask())
})

test('so many failures of one tenant stop its logins, and those of all stop everybody, for a quarter of an hour', async () => {
  const clock = startClock()
  const limits = limitsOver(givenCounters(clock), clock)
  const tryOne = async (i: number, namedTenant: string) => {
    const asked = { number: `n${i}`, host: namedTenant, address: `10.0.${i >> 8}.${i & 255}` }
    await limits.enter(asked)
    return limits.take({ tenantId: namedTenant, namedTenant, number: asked.number }, asked)
  }
  let made = 0
  const guess = (namedTenant: string) => {
    made += 1
    return tryOne(made, namedTenant)
  }
  for (let i = 0; i < 200; i += 1) await guess('t1')
  await expect(guess('t1')).rejects.toMatchObject({ code: 'login_locked', details: { retryAfter: 900 } })
  // Right passwords are no failures.
  for (let i = 0; i < 300; i += 1) await (await guess('t2')).right()
  for (const tenant of ['t2', 't3', 't4', 't5']) for (let i = 0; i < 200; i += 1) await guess(tenant)
  await expect(guess('t6')).rejects.toMatchObject({ code: 'login_locked' })
  clock.pass(15 * MINUTE)
  await guess('t1')
})
