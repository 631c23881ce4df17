import fc from 'fast-check'
import { createDeviceStore } from '../../src/devices/device-store.ts'
import { createExtensionStore } from '../../src/devices/extension-store.ts'
import { createPhoneStore } from '../../src/devices/phone-store.ts'
import { createRegisterDevice } from '../../src/devices/register-device.ts'
import { newId } from '../../src/lib/ids.ts'
import type { PushOf } from '../../src/push/push.ts'
import { until } from '../support/conditions.ts'
import { apnsToken } from '../support/gateway.ts'
import {
  badToken,
  isSomebodyWaiting,
  openTokenBooks,
  type TokenBooks,
  unregistered,
} from '../support/token-books.ts'

/** The life of a token in a real table: no order of register, send and answer may cost a living phone its token. */
let books: TokenBooks
beforeAll(async () => {
  books = await openTokenBooks()
})
afterAll(() => books[Symbol.asyncDispose]())

const time = fc.integer({ min: 1, max: 9 })
const phone = fc.constantFrom('A', 'B', 'C')
const name = fc.constantFrom('t1', 't2', 't3')
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('register' as const), phone, name, at: time }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), phone, at: time }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('send handed in' as const), name, at: time }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      /** Which of the pushes that are under way. */
      which: fc.nat(9),
      says: fc.oneof(
        fc.constant('suspect' as const),
        fc.option(time).map((deadSince) => ({ deadSince })),
      ),
    }),
  },
)
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never

/** What ought to be, in as few words as it can be told. */
function createModel() {
  const registered = new Map<string, { phone: string; at: number; isDead: boolean }>()
  const held = new Map<string, 'quarantined' | 'dead'>()
  const tokenOf = (phone: string) => [...registered].find(([, token]) => token.phone === phone)?.[0]
  return {
    registered,
    held,
    register(phone: string, name: string, at: number) {
      const before = tokenOf(phone)
      if (before !== undefined) registered.delete(before)
      registered.set(name, { phone, at, isDead: false })
      held.delete(name)
    },
    /** The token that a call would go to now. */
    liveTokenOf(phone: string) {
      const found = tokenOf(phone)
      return found !== undefined && !registered.get(found)?.isDead ? found : undefined
    },
    accuse(name: string, isHandedIn: boolean, says: 'quarantined' | 'dead', since: number) {
      const token = registered.get(name)
      if (!token && !isHandedIn) return 'valid'
      if (token && token.at >= since) return 'valid'
      const state = held.get(name) === 'dead' ? 'dead' : says
      held.set(name, state)
      if (token && state === 'dead') token.isDead = true
      return state
    },
  }
}

async function run(events: readonly Event[]): Promise<void> {
  const model = createModel()
  const unique = newId()
  const extension = `e-${unique}`
  const tokens = new Map(['t1', 't2', 't3'].map((name) => [name, apnsToken()]))
  const tokenOf = (name: string) => tokens.get(name) ?? ''
  const underWay: { push: PushOf<'call'>; name: string; sentAt: number }[] = []
  const deviceIds = new Map<string, string>()
  const startAt = books.clock.now()
  // Each run is far from the others, so that no breaker opens over all of them.
  books.clock.advance(1_000_000)

  for (const one of events) {
    switch (one.do) {
      case 'register': {
        const push = await books.givenPhone({
          extension,
          deviceKey: `${one.phone}-${unique}`,
          token: tokenOf(one.name),
          registeredAt: startAt + one.at,
        })
        deviceIds.set(one.phone, push.deviceId ?? '')
        model.register(one.phone, one.name, one.at)
        break
      }
      case 'send': {
        const name = model.liveTokenOf(one.phone)
        if (name === undefined) break
        const change = { extension, deviceId: deviceIds.get(one.phone) ?? '' }
        underWay.push({ push: books.pushTo(tokenOf(name), change), name, sentAt: one.at })
        break
      }
      case 'send handed in':
        underWay.push({ push: books.pushTo(tokenOf(one.name)), name: one.name, sentAt: one.at })
        break
      case 'answer': {
        const [answered] = underWay.splice(one.which % Math.max(1, underWay.length), 1)
        if (!answered) break
        const { push, name, sentAt } = answered
        const deadSince = one.says === 'suspect' ? undefined : (one.says.deadSince ?? undefined)
        const accusation =
          one.says === 'suspect'
            ? badToken()
            : unregistered(deadSince === undefined ? undefined : startAt + deadSince)
        const told = await books.verdicts.accuse(push, accusation, startAt + sentAt)
        const expected = model.accuse(
          name,
          push.deviceId === undefined,
          one.says === 'suspect' ? 'quarantined' : 'dead',
          deadSince ?? sentAt,
        )
        expect(told).toBe(expected)
      }
    }
  }

  const live = (await createPhoneStore(books.db).find(books.tenantId, extension))?.tokens ?? []
  const expected = [...model.registered].filter(([, token]) => !token.isDead)
  expect(live.map(({ tokenHash, deviceKey }) => [tokenHash, deviceKey]).sort()).toEqual(
    expected
      .map(([name, token]) => [books.keyring.tokenHash(tokenOf(name)), `${token.phone}-${unique}`])
      .sort(),
  )
  for (const name of tokens.keys()) {
    const held = await books.verdictsOn(books.pushTo(tokenOf(name)))
    expect(held.map(({ state }) => state)).toEqual(model.held.has(name) ? [model.held.get(name)] : [])
  }
}

test('in any order of events a token is dead exactly when it died after it was last seen alive', async () => {
  await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 14, size: 'max' }), run), {
    numRuns: 200,
    endOnFailure: false,
  })
}, 120_000)

test.each([
  ['suspect', badToken()],
  ['dead', unregistered()],
])(
  'a registration that is not yet committed clears a token that is just called %s',
  async (_, accusation) => {
    const handedIn = books.pushTo(apnsToken())
    const { id: extensionId } = await createExtensionStore(books.db).put(books.tenantId, '100', {})
    const sentAt = books.clock.now()
    books.clock.advance(1)
    let settled = false
    const told = await books.db.transaction(async (trx) => {
      const register = createRegisterDevice({
        ...books,
        devices: createDeviceStore(trx),
        onLeft: async () => undefined,
        onEvicted: async () => undefined,
      })
      await register({
        tenantId: books.tenantId,
        extensionId,
        deviceKey: 'phone',
        appId: 'default',
        tokens: [{ kind: 'apns_voip', environment: 'production', token: handedIn.token }],
      })
      const accused = books.verdicts.accuse(handedIn, accusation, sentAt).finally(() => {
        settled = true
      })
      await until(async () => settled || (await isSomebodyWaiting(books.db)), {
        description: 'the accusation waits for the registration',
      })
      return { accused }
    })
    expect(await told.accused).toBe('valid')
    expect(await books.isLive({ ...handedIn, extension: '100' })).toBe(true)
    expect(await books.verdictsOn(handedIn)).toEqual([])
  },
)

test('registrations and accusations of one token at the same moment all come to an end, and the token lives', async () => {
  for (let i = 0; i < 20; i += 1) {
    const token = apnsToken()
    const before = await books.givenPhone({ token })
    books.clock.advance(1)
    const sentAt = books.clock.now()
    books.clock.advance(1)
    const accusation = i % 2 === 0 ? badToken() : unregistered()
    const [phone] = await Promise.all([
      books.givenPhone({ token, extension: '100', deviceKey: 'phone' }),
      ...Array.from({ length: 4 }, () => books.verdicts.accuse(before, accusation, sentAt)),
    ])
    expect(await books.isLive(phone)).toBe(true)
    expect(await books.verdictsOn(phone)).toEqual([])
  }
})
