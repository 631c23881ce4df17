import { hash } from 'node:crypto'
import { CONFIRM_AFTER_MS } from '../../src/devices/judge-token.ts'
import { newId } from '../../src/lib/ids.ts'
import { MINUTE } from '../../src/lib/units.ts'
import type { PushOf } from '../../src/push/push.ts'
import type { Accusation } from '../../src/push/token-verdicts.ts'
import { until } from '../support/conditions.ts'
import { apnsToken, fcmToken } from '../support/gateway.ts'
import { badToken, openTokenBooks, type TokenBooks, unregistered } from '../support/token-books.ts'

/** What answers of providers do to tokens: nothing is given up for a fault that may be our own. */
let books: TokenBooks
beforeEach(async () => {
  books = await openTokenBooks()
})
afterEach(() => books[Symbol.asyncDispose]())

type CallPush = PushOf<'call'>
const accepted = { kind: 'accepted', providerId: 'apple-1' } as const

/** As the sender of a push does it: every answer is observed, and the bad ones accuse. */
const answered = (push: CallPush, accusation: Accusation, sentAt = books.clock.now()) => {
  books.verdicts.observe(push, accusation)
  return books.verdicts.accuse(push, accusation, sentAt)
}
const toldOf = (push: CallPush) =>
  books.announced
    .filter(({ data }) => data.token_sha256 === hash('sha256', push.token))
    .map(({ tenantId, type }) => (tenantId === push.tenantId ? type : `${type} to a stranger`))
/** A phone whose token was suspect some time ago, while others of the app are well. */
const givenSuspect = async (ageMs: number, accusation = badToken()) => {
  const suspect = await books.givenPhone()
  books.clock.advance(1)
  expect(await answered(suspect, accusation)).toBe('quarantined')
  books.clock.advance(ageMs / 2)
  await books.delivered(books.pushTo(apnsToken()))
  books.clock.advance(ageMs / 2)
  return suspect
}

describe('a suspect token', () => {
  test('goes into quarantine, is still pushed to, and its owner is told once', async () => {
    const push = await books.givenPhone({ extension: '100' })
    books.clock.advance(1_000)
    expect(await answered(push, badToken())).toBe('quarantined')
    books.clock.advance(1_000)
    expect(await answered(push, badToken())).toBe('quarantined')
    expect(await books.isLive(push)).toBe(true)
    expect(await books.verdictsOn(push)).toMatchObject([
      {
        ...{ kind: 'apns_voip', environment: 'production', app_id: 'default', state: 'quarantined' },
        ...{ reason: 'BadDeviceToken', times: 2, extension: '100', device_id: push.deviceId },
        token_sha256: hash('sha256', push.token),
        first_at: new Date(books.clock.now() - 1_000),
        last_at: new Date(books.clock.now()),
      },
    ])
    expect(toldOf(push)).toEqual(['token.quarantined'])
    expect(books.announced[0]?.data).toMatchObject({
      state: 'quarantined',
      platform: 'apns',
      extension: '100',
    })
    expect(JSON.stringify([books.announced, books.log, await books.verdictsOn(push)])).not.toContain(
      push.token,
    )
  })

  test('is given up when the same is said ten minutes later, while others of the app were delivered to', async () => {
    const push = await givenSuspect(CONFIRM_AFTER_MS)
    expect(await answered(push, badToken())).toBe('dead')
    expect(await books.isLive(push)).toBe(false)
    expect(toldOf(push)).toEqual(['token.quarantined', 'token.invalidated'])
    expect(await books.verdictsOn(push)).toMatchObject([{ state: 'dead', times: 2 }])
    expect(await books.db('device_tokens').where({ token_hash: push.tokenHash })).toMatchObject([
      { invalid_reason: 'BadDeviceToken' },
    ])
    expect(await books.metrics.registry.metrics()).toContain(
      'wakeline_tokens_invalidated_total{provider="apns"} 1',
    )
  })

  test('is not given up a moment before that', async () => {
    const push = await givenSuspect(CONFIRM_AFTER_MS - 2)
    expect(await answered(push, badToken())).toBe('quarantined')
    expect(await books.isLive(push)).toBe(true)
  })

  test('is not given up while nothing of its app goes through: then it is our configuration', async () => {
    const push = await books.givenPhone()
    books.clock.advance(1)
    await answered(push, badToken())
    books.clock.advance(MINUTE)
    const elsewhere = books.pushTo(apnsToken())
    await books.delivered({ ...elsewhere, appId: 'other' })
    await books.delivered({ ...elsewhere, environment: 'sandbox' })
    await books.delivered({ ...elsewhere, provider: 'fcm' })
    books.clock.advance(CONFIRM_AFTER_MS)
    expect(await answered(push, badToken())).toBe('quarantined')
    // What went through before the suspicion proves nothing about now.
    await books.db('push_logs').insert({
      ...(await books.db('push_logs').first()),
      ...{ id: newId(), app_id: 'default', environment: 'production', provider: 'apns' },
      ...{ accepted_at: new Date(books.clock.now() - MINUTE - CONFIRM_AFTER_MS - 1) },
    })
    expect(await answered(push, badToken())).toBe('quarantined')
    await books.delivered(books.pushTo(apnsToken()))
    expect(await answered(push, badToken())).toBe('dead')
  })

  test('is suspected afresh when it was delivered to in between', async () => {
    const push = await givenSuspect(CONFIRM_AFTER_MS)
    await books.delivered(push)
    expect(await answered(push, badToken())).toBe('quarantined')
    expect(await books.verdictsOn(push)).toMatchObject([{ times: 1, first_at: new Date(books.clock.now()) }])
    expect(await books.isLive(push)).toBe(true)
  })

  test('is suspected afresh when something else is said of it', async () => {
    const push = await givenSuspect(CONFIRM_AFTER_MS)
    expect(await answered(push, badToken({ reason: 'DeviceTokenNotForTopic' }))).toBe('quarantined')
    expect(await books.verdictsOn(push)).toMatchObject([{ times: 1, reason: 'DeviceTokenNotForTopic' }])
  })

  test.each(['SENDER_ID_MISMATCH', 'INVALID_ARGUMENT'])('may be one of Google: %s', async (reason) => {
    const push = await books.givenPhone({ kind: 'fcm', token: fcmToken() })
    books.clock.advance(1)
    expect(await answered(push, badToken({ reason }))).toBe('quarantined')
    books.clock.advance(CONFIRM_AFTER_MS)
    await books.delivered(books.pushTo(fcmToken(), { tokenKind: 'fcm' }))
    expect(await answered(push, badToken({ reason }))).toBe('dead')
    expect(await books.isLive(push)).toBe(false)
  })

  test('is cleared by a registration, which brings it back from the dead, too', async () => {
    const push = await givenSuspect(CONFIRM_AFTER_MS)
    await books.givenPhone({ token: push.token })
    expect(await books.verdictsOn(push)).toEqual([])
    expect(await answered(push, unregistered(), books.clock.now() + 1)).toBe('dead')
    books.clock.advance(2)
    const again = await books.givenPhone({ token: push.token })
    expect(await books.verdictsOn(push)).toEqual([])
    expect(await books.isLive(again)).toBe(true)
  })

  test('is left alone when it was registered after the push had left, or at the same moment', async () => {
    const push = await books.givenPhone()
    expect(await answered(push, badToken(), books.clock.now())).toBe('valid')
    expect(await answered(push, badToken(), books.clock.now() - 1)).toBe('valid')
    expect(await books.verdictsOn(push)).toEqual([])
  })

  test('is restored when a provider takes a push to it, wherever that push was sent', async () => {
    const push = await books.givenPhone()
    books.clock.advance(1)
    await answered(push, badToken())
    const elsewhere = books.openVerdicts()
    // The first answer makes it look for what other processes have found.
    await until(
      () => {
        elsewhere.observe(push, accepted)
        return toldOf(push).includes('token.restored')
      },
      { description: 'the owner is told' },
    )
    expect(await books.verdictsOn(push)).toEqual([])
    expect(toldOf(push)).toEqual(['token.quarantined', 'token.restored'])
    expect(books.announced.at(-1)?.data).toMatchObject({ state: 'valid' })
  })
})

describe('a verdict of which the owner cannot be told', () => {
  test('is none, until he can', async () => {
    const push = await books.givenPhone()
    const death = unregistered(books.clock.now() + 1)
    books.clock.advance(1_000)
    books.owners.cannotBeTold = true
    await answered(push, death)
    expect([await books.isLive(push), await books.verdictsOn(push)]).toEqual([true, []])
    books.owners.cannotBeTold = false
    await answered(push, death)
    expect([await books.isLive(push), toldOf(push)]).toEqual([false, ['token.invalidated']])
  })

  test('stands, until he can be told that it is over', async () => {
    const push = await books.givenPhone()
    books.clock.advance(1)
    await answered(push, badToken())
    books.owners.cannotBeTold = true
    const errors = () => books.log.filter((line) => line.includes('cannot be stored')).length
    books.verdicts.observe(push, accepted)
    await until(() => errors() > 0, { description: 'it could not be told' })
    expect(await books.verdictsOn(push)).toHaveLength(1)
    books.owners.cannotBeTold = false
    books.verdicts.observe(push, accepted)
    await until(() => toldOf(push).includes('token.restored'), { description: 'the owner is told' })
    expect(await books.verdictsOn(push)).toEqual([])
  })
})

describe('a dead token', () => {
  test('is given up at once, if it was not registered since its death', async () => {
    const push = await books.givenPhone()
    const registeredAt = books.clock.now()
    books.clock.advance(1_000)
    expect(await answered(push, unregistered(registeredAt - 1))).toBe('valid')
    expect(await answered(push, unregistered(registeredAt))).toBe('valid')
    expect(await books.verdictsOn(push)).toEqual([])
    expect(await answered(push, unregistered(registeredAt + 1))).toBe('dead')
    expect(await books.isLive(push)).toBe(false)
    expect(toldOf(push)).toEqual(['token.invalidated'])
    // Another push that was under way.
    expect(await answered(push, unregistered(registeredAt + 1))).toBe('dead')
    expect(toldOf(push)).toEqual(['token.invalidated'])
    expect(await books.verdictsOn(push)).toMatchObject([{ state: 'dead', times: 2 }])
  })

  test('is judged by the time of the try when the vendor names none', async () => {
    const push = await books.givenPhone()
    expect(await answered(push, unregistered(), books.clock.now())).toBe('valid')
    expect(await answered(push, unregistered(), books.clock.now() + 1)).toBe('dead')
  })

  test('is no news when its device has got another one since', async () => {
    const push = await books.givenPhone({ deviceKey: 'phone', extension: '100' })
    const next = await books.givenPhone({ deviceKey: 'phone', extension: '100' })
    books.clock.advance(1)
    expect(await answered(push, unregistered())).toBe('valid')
    expect(await books.verdictsOn(push)).toEqual([])
    expect(await books.isLive(next)).toBe(true)
  })

  test('that was only handed in is told to whoever handed it in, and only to him', async () => {
    const token = apnsToken()
    const stranger = await books.newTenant()
    const push = books.pushTo(token)
    expect(await answered(push, unregistered(1))).toBe('dead')
    expect(await books.verdictsOn(push)).toMatchObject([{ state: 'dead', device_id: null, extension: null }])
    expect(await books.verdictsOn({ ...push, tenantId: stranger })).toEqual([])
    expect(toldOf(push)).toEqual(['token.invalidated'])
  })

  test('of another tenant, or in another app, is not given up for whoever hands it in', async () => {
    const tenantId = await books.newTenant()
    const phone = await books.givenPhone({ tenantId })
    books.clock.advance(1)
    expect(await answered(books.pushTo(phone.token), unregistered())).toBe('dead')
    expect(await books.isLive(phone)).toBe(true)
    const { deviceId, extension, ...otherApp } = { ...phone, appId: 'other' }
    expect(await answered(otherApp, unregistered())).toBe('dead')
    expect(await books.isLive(phone)).toBe(true)
    // Of the tenant's own it is.
    const { deviceId: _, extension: __, ...handedIn } = phone
    expect(await answered(handedIn, unregistered())).toBe('dead')
    expect(await books.isLive(phone)).toBe(false)
  })

  test('comes back when a provider takes a push to it, if it was only handed in', async () => {
    const push = books.pushTo(apnsToken())
    await answered(push, unregistered())
    books.verdicts.observe(push, accepted)
    await until(() => toldOf(push).includes('token.restored'), { description: 'the owner is told' })
    expect(await books.verdictsOn(push)).toEqual([])
  })
})

test('our own faults cost no token', async () => {
  const push = await books.givenPhone()
  books.clock.advance(1)
  for (const fault of ['message', 'config'] as const) {
    expect(await answered(push, badToken({ class: fault, reason: 'BadTopic' } as Partial<Accusation>))).toBe(
      'valid',
    )
  }
  expect(await books.verdictsOn(push)).toEqual([])
})

describe('when many tokens of an app fail alike', () => {
  const fail = (count: number, accusation: Accusation) =>
    Promise.all(Array.from({ length: count }, () => answered(books.pushTo(apnsToken()), accusation)))

  test.each([
    ['suspect', badToken()],
    ['dead', unregistered()],
  ])('what is said counts for nothing, whether tokens are called %s', async (_, accusation) => {
    const push = await givenSuspect(CONFIRM_AFTER_MS, badToken())
    await fail(5, accusation)
    expect(await answered(push, accusation)).toBe('valid')
    expect(await books.isLive(push)).toBe(true)
    const { reason } = accusation
    const gauge = () => books.metrics.registry.getSingleMetricAsString('wakeline_token_breaker_open')
    const labels = `{app="default",provider="apns",environment="production",reason="${reason}"}`
    expect(await gauge()).toContain(`wakeline_token_breaker_open${labels} 1`)
    expect(await books.metrics.registry.metrics()).toContain(`wakeline_token_breaker_opened_total${labels} 1`)
    expect(books.log.filter((line) => line.includes('"level":"error"'))).toHaveLength(1)

    // By itself, without another push.
    books.clock.advance(MINUTE)
    await until(async () => (await gauge()).includes(`${labels} 0`), { description: 'the breaker is closed' })
    expect(await answered(push, accusation)).toBe('dead')
  })

  test('and others of it are well, it is the tokens', async () => {
    for (let i = 0; i < 50; i += 1) books.verdicts.observe(books.pushTo(apnsToken()), accepted)
    expect(await fail(10, badToken())).toEqual(Array.from({ length: 10 }, () => 'quarantined'))
  })
})

describe('a token of Apple’s other gateway', () => {
  test('that is registered moves there, and what was held against it is over', async () => {
    const push = await books.givenPhone()
    books.clock.advance(1)
    await answered(push, badToken())
    await books.verdicts.moved(push, 'sandbox')
    expect(await books.db('device_tokens').where({ token_hash: push.tokenHash })).toMatchObject([
      { environment: 'sandbox', device_id: push.deviceId },
    ])
    expect(await books.verdictsOn(push)).toEqual([])
    expect(toldOf(push)).toEqual(['token.quarantined', 'token.restored'])
    // Once more, from a push that was under way.
    await books.verdicts.moved(push, 'sandbox')
    expect(await books.db('device_tokens').where({ token_hash: push.tokenHash })).toHaveLength(1)
  })

  test.each([
    ['earlier', 'newcomer'],
    ['later', 'resident'],
  ])('meets one that was registered there %s: the newer of them stays', async (when, stays) => {
    const token = apnsToken()
    const resident = () => books.givenPhone({ token, environment: 'sandbox' })
    const before = when === 'earlier' ? await resident() : undefined
    books.clock.advance(1)
    const newcomer = await books.givenPhone({ token })
    books.clock.advance(1)
    const there = before ?? (await resident())
    await books.verdicts.moved(newcomer, 'sandbox')
    expect(await books.db('device_tokens').where({ token_hash: newcomer.tokenHash })).toMatchObject([
      { environment: 'sandbox', device_id: { newcomer, resident: there }[stays]?.deviceId },
    ])
  })

  test('is not moved when its device has got another one since', async () => {
    const push = await books.givenPhone({ deviceKey: 'phone', extension: '100' })
    const next = await books.givenPhone({ deviceKey: 'phone', extension: '100' })
    await books.verdicts.moved(push, 'sandbox')
    expect(await books.db('device_tokens').where({ device_id: next.deviceId })).toMatchObject([
      { environment: 'production', token_hash: next.tokenHash },
    ])
  })

  test('that was only handed in is remembered', async () => {
    const push = books.pushTo(apnsToken())
    expect(books.verdicts.environmentOf(push)).toBe('production')
    await books.verdicts.moved(push, 'sandbox')
    expect(books.verdicts.environmentOf(push)).toBe('sandbox')
    expect(books.verdicts.environmentOf(books.pushTo(apnsToken()))).toBe('production')
    // A registered one is where its row says.
    expect(books.verdicts.environmentOf({ ...push, deviceId: newId() })).toBe('production')
  })

  test('is accused where it was last', async () => {
    const push = books.pushTo(apnsToken())
    await books.verdicts.moved(push, 'sandbox')
    await answered(push, unregistered())
    expect(await books.verdictsOn(push)).toMatchObject([{ environment: 'sandbox', state: 'dead' }])
  })
})

describe('with the database away', () => {
  test('the answer is taken at its word, and nothing rejects', async () => {
    const push = await books.givenPhone()
    await books.db.raw('ALTER TABLE token_verdicts RENAME TO token_verdicts_away')
    books.clock.advance(1)
    expect(await answered(push, badToken())).toBe('quarantined')
    expect(await answered(push, unregistered())).toBe('dead')
    await books.verdicts.moved(push, 'sandbox')
    expect(await books.metrics.registry.metrics()).toContain(
      'wakeline_background_errors_total{part="token-verdicts"} 3',
    )
    await books.db.raw('ALTER TABLE token_verdicts_away RENAME TO token_verdicts')
    // All or nothing: the token would be dead without its owner knowing.
    expect(await books.isLive(push)).toBe(true)
    expect(await answered(push, unregistered())).toBe('dead')
    expect(await books.isLive(push)).toBe(false)
  })

  test('a push waits no longer than a second for the books', async () => {
    const push = await books.givenPhone()
    books.clock.advance(1)
    const begin = performance.now()
    await books.db.transaction(async (trx) => {
      await trx('device_tokens').where({ token_hash: push.tokenHash }).forUpdate()
      expect(await answered(push, unregistered())).toBe('dead')
    })
    const waited = performance.now() - begin
    expect(waited).toBeGreaterThan(900)
    expect(waited).toBeLessThan(5_000)
    // It goes on all the same.
    await until(async () => !(await books.isLive(push)), { description: 'the token is given up' })
  })
})
