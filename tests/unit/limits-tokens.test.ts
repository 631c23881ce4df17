import { createAllowances } from '../../src/limits/allowance.ts'
import { createColdCounts } from '../../src/limits/cold-counts.ts'
import { createRateLimits } from '../../src/limits/rate-limits.ts'
import { memoryCounters } from '../support/counters.ts'

/** What one phone may get in a minute: exact for who comes often, and next to nothing for the very many who do not. */
const TENANT = 'tenant'

function given() {
  const { counters, clock } = memoryCounters()
  let asked = 0
  const counting = {
    ...counters,
    add: (...words: Parameters<typeof counters.add>) => {
      asked += 1
      return counters.add(...words)
    },
  }
  const node = () =>
    createRateLimits({ allowances: createAllowances({ counters: counting, clock }), clock, isOn: true })
      .tokenLimits.calls
  const take = async (limit: ReturnType<typeof node>, token: string, times: number, tenant = TENANT) => {
    let taken = 0
    for (let i = 0; i < times; i += 1) {
      await limit.take(tenant, token).then(
        () => {
          taken += 1
        },
        (refusal: unknown) => expect(refusal).toMatchObject({ code: 'token_rate_limited', status: 429 }),
      )
    }
    return taken
  }
  return { clock, node, take, asked: () => asked }
}

test('who comes seldom costs no question', async () => {
  const { node, take, asked } = given()
  const limit = node()
  for (let i = 0; i < 1_000; i += 1) expect(await take(limit, `token ${i}`, 7)).toBe(7)
  expect(asked()).toBe(0)
})

test('who comes often gets exactly thirty a minute, each minute', async () => {
  const { clock, node, take } = given()
  const limit = node()
  for (let minute = 0; minute < 4; minute += 1) {
    expect(await take(limit, 'token', 50)).toBe(30)
    clock.at += 60_000
  }
})

test('two nodes together give a quarter more at most', async () => {
  const { node, take } = given()
  const [one, two] = [node(), node()]
  const taken = (await take(one, 'token', 50)) + (await take(two, 'token', 50))
  expect(taken).toBeGreaterThanOrEqual(30)
  expect(taken).toBeLessThanOrEqual(30 + 7)
})

test('a token is counted for each tenant by itself', async () => {
  const { node, take } = given()
  const limit = node()
  // Those that another tenant pushed before are not on this one's account.
  expect(await take(limit, 'token', 7, 'another tenant')).toBe(7)
  expect(await take(limit, 'token', 50)).toBe(30)
  expect(await take(limit, 'token', 50, 'another tenant')).toBe(23)
})

test('names of long ago are forgotten, and so is the window when there are too many', () => {
  const { clock } = memoryCounters()
  const counts = createColdCounts(clock, 60_000)
  expect(counts.add('a')).toEqual({ window: 1, lately: 1 })
  expect(counts.add('a')).toEqual({ window: 2, lately: 2 })
  clock.at += 60_000
  expect(counts.add('a')).toEqual({ window: 1, lately: 3 })
  clock.at += 120_000
  expect(counts.add('a')).toEqual({ window: 1, lately: 1 })
  for (let i = 0; i < 100_000; i += 1) counts.add(`name ${i}`)
  expect(counts.add('a')).toEqual({ window: 1, lately: 2 })
})
