import fc from 'fast-check'
import { Problem } from '../../src/lib/problem.ts'
import { DAY, HOUR, SECOND } from '../../src/lib/units.ts'
import { createAddressGuard } from '../../src/limits/address-guard.ts'
import { clientNetwork } from '../../src/limits/client-network.ts'
import { memoryCounters } from '../support/counters.ts'

const ADDRESS = '192.0.2.7'

function guards(nodes: number, isOn = true) {
  const memory = memoryCounters()
  const blocks: { network: string; seconds: number }[] = []
  const events = {
    addressBlocked: (network: string, seconds: number) => void blocks.push({ network, seconds }),
  }
  const made = Array.from({ length: nodes }, () => createAddressGuard({ ...memory, events, isOn }))
  /** Seconds to wait, or 0 where the address may go on. */
  const wait = async (node: number, address = ADDRESS): Promise<number> => {
    try {
      await made[node]?.check(address)
      return 0
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem
      expect(problem).toMatchObject({ status: 429, code: 'rate_limited', message: 'rate limit exceeded' })
      return problem.details.retryAfter ?? 0
    }
  }
  /** Tries wrong keys until it is stopped; how many. */
  const guess = async (node: number, most: number, address = ADDRESS): Promise<number> => {
    for (let tried = 0; tried < most; tried += 1) {
      if ((await wait(node, address)) > 0) return tried
      await made[node]?.failed(address)
    }
    return most
  }
  return { ...memory, made, blocks, wait, guess }
}

describe('the guard of addresses', () => {
  test('lets 60 wrong keys in 30 s pass, and blocks after one more', async () => {
    const { guess, wait, clock } = guards(1)
    expect(await guess(0, 60)).toBe(60)
    expect(await wait(0)).toBe(0)
    expect(await guess(0, 5)).toBe(1)
    expect(await wait(0)).toBe(30)
    expect(await wait(0, '192.0.2.8')).toBe(0)
    clock.at += 30 * SECOND
    expect(await wait(0)).toBe(0)
  })

  test('lets 300 faulty requests in 30 s pass, of which no wrong key is one', async () => {
    const { made, wait, guess, blocks } = guards(2)
    for (let i = 0; i < 300; i += 1) await made[i % 2]?.faulted(ADDRESS)
    expect(await guess(0, 60)).toBe(60)
    expect([await wait(0), await wait(1)]).toEqual([0, 0])
    await made[1]?.faulted(ADDRESS)
    expect(await wait(1)).toBe(30)
    await made[0]?.faulted(ADDRESS)
    expect(await wait(0)).toBe(30)
    expect(blocks).toHaveLength(1)
  })

  test('lets a key that comes again pass while it blocks, one a second, and no other', async () => {
    const { made, guess, wait, clock } = guards(1)
    await guess(0, 100)
    const passes = async (key: string) =>
      made[0]?.check(ADDRESS, key).then(
        () => true,
        () => false,
      )
    for (let i = 0; i < 1_000; i += 1) expect(await passes(`guess ${i}`)).toBe(false)
    expect(await passes('good')).toBe(false)
    expect(await passes('good')).toBe(true)
    expect(await passes('good')).toBe(false)
    expect(await passes('guess 1')).toBe(false)
    clock.at += SECOND
    expect(await passes('another')).toBe(false)
    expect(await passes('another')).toBe(true)
    // Faulty requests have no key to be looked up.
    clock.at += SECOND
    expect([await wait(0), await wait(0)]).toEqual([28, 28])
  })

  test('does not add up what is far apart', async () => {
    const { guess, clock } = guards(1)
    for (let i = 0; i < 5; i += 1) {
      expect(await guess(0, 60)).toBe(60)
      clock.at += 30 * SECOND
    }
  })

  test('blocks for twice as long each time, and for an hour at most; 10,000 tries take days', async () => {
    const { guess, wait, blocks, clock } = guards(1)
    let tried = 0
    const begin = clock.at
    while (tried < 10_000) {
      tried += await guess(0, 100)
      clock.at += (await wait(0)) * SECOND
    }
    expect(blocks.slice(0, 9).map(({ seconds }) => seconds)).toEqual([
      30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600,
    ])
    expect(clock.at - begin).toBeGreaterThan(5 * DAY)
  })

  test('forgets after a day without', async () => {
    const { guess, blocks, clock } = guards(1)
    await guess(0, 100)
    clock.at += HOUR
    await guess(0, 100)
    clock.at += 2 * DAY
    await guess(0, 100)
    expect(blocks.map(({ seconds }) => seconds)).toEqual([30, 60, 30])
  })

  test('counts over all nodes, and another node learns of a block with the first wrong key there', async () => {
    const { guess, wait, blocks, clock } = guards(2)
    expect(await guess(0, 40)).toBe(40)
    expect(await guess(1, 100)).toBe(21)
    expect(await guess(0, 100)).toBe(1)
    expect([await wait(0), await wait(1)]).toEqual([30, 30])
    expect(blocks).toHaveLength(1)
    clock.at += 30 * SECOND
    // The second block is the longer one also where the first was not made.
    expect(await guess(0, 100)).toBe(61)
    expect(await wait(0)).toBe(60)
  })

  test('many wrong keys at the same time make one block', async () => {
    const { made, blocks, wait } = guards(2)
    await Promise.all(Array.from({ length: 200 }, (_, i) => made[i % 2]?.failed(ADDRESS)))
    expect(blocks).toEqual([{ network: ADDRESS, seconds: 30 }])
    expect([await wait(0), await wait(1)]).toEqual([30, 30])
  })

  test('counts by itself while the store is away, and asks it nothing for who is blocked', async () => {
    const { guess, wait, store, clock } = guards(1)
    store.isBroken = true
    expect(await guess(0, 100)).toBe(61)
    const { asked } = store
    for (let i = 0; i < 100; i += 1) expect(await wait(0)).toBe(30)
    expect(store.asked).toBe(asked)
    clock.at += 30 * SECOND
    expect(await guess(0, 100)).toBe(61)
    expect(await wait(0)).toBe(60)
  })

  test('goes on counting where the store went away in between', async () => {
    const { guess, store } = guards(1)
    expect(await guess(0, 50)).toBe(50)
    store.isBroken = true
    expect(await guess(0, 100)).toBe(11)
  })

  test('that is off blocks nobody', async () => {
    const { guess } = guards(1, false)
    expect(await guess(0, 200)).toBe(200)
  })
})

describe('whose an address is', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1::5:6:7:8', '2001:db8:1:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['', ''],
    ['unknown', 'unknown'],
  ])('%s is %s', (address, network) => {
    expect(clientNetwork(address)).toBe(network)
  })

  test('all addresses of a /64 are one client, however they are written', () => {
    const group = fc.integer({ min: 0, max: 0xffff })
    fc.assert(
      fc.property(
        fc.tuple(group, group, group, group),
        fc.tuple(group, group, group, group),
        (head, tail) => {
          const whole = [...head, ...tail].map((value) => value.toString(16))
          const network = `${whole.slice(0, 4).join(':')}::/64`
          expect(clientNetwork(whole.join(':'))).toBe(network)
          expect(clientNetwork(whole.map((value) => value.padStart(4, '0').toUpperCase()).join(':'))).toBe(
            network,
          )
          // The shortest form: `URL` writes it.
          expect(clientNetwork(new URL(`http://[${whole.join(':')}]`).hostname.slice(1, -1))).toBe(network)
        },
      ),
    )
  })
})
