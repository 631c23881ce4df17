import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { openDatabase } from '../../src/db/database.ts'
import { newId } from '../../src/lib/ids.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { Problem } from '../../src/lib/problem.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { DAY, HOUR, SECOND } from '../../src/lib/units.ts'
import { createLicenseListStore } from '../../src/license/license-list-store.ts'
import { createLicenseLookup } from '../../src/license/license-lookup.ts'
import { createLicenseRecords } from '../../src/license/license-records-store.ts'
import { createManageLicenses, MAX_KEYS, type NewLicense } from '../../src/license/manage-licenses.ts'
import { TIERS, type Tier } from '../../src/license/tiers.ts'
import { cloneDatabase } from '../support/databases.ts'

const releaser = createReleaser()
afterAll(() => releaser.release())
let node: Awaited<ReturnType<typeof openNode>>
beforeAll(async () => {
  node = await openNode()
})

const START = Date.parse('2026-11-21T12:00:00Z')

/** The service on a database of its own, with a clock that the test moves and an owner who listens. */
async function openNode() {
  const database = releaser.add(await cloneDatabase(), (open) => open.drop())
  const db = releaser.add(openDatabase(database.url), (open) => open.destroy())
  const keyring = createKeyring(randomBytes(32))
  const licenseRecords = createLicenseRecords(db)
  const clock = { time: START, now: () => clock.time, monotonic: () => clock.time }
  const told: { tenantId: string; type: string; data: Record<string, unknown> }[] = []
  const errors: unknown[] = []
  const owner = { isDeaf: false }
  const manage = createManageLicenses({
    licenseRecords,
    keyring,
    clock,
    webhooks: {
      async announce(tenantId, event) {
        if (owner.isDeaf) throw new Error('the database went away just now')
        told.push({ tenantId, ...event })
      },
    },
    onError: (error) => errors.push(error),
  })
  const lookup = createLicenseLookup({
    licenseRecords,
    licenseList: createLicenseListStore(db),
    keyring,
    clock,
  })
  return { db, keyring, licenseRecords, clock, told, errors, owner, manage, lookup }
}

const given = (terms: Partial<NewLicense> = {}) =>
  node.manage.create(
    { tenantName: `tenant ${newId()}`, withPbxKey: false, tier: 'standard', ...terms } as NewLicense,
    'shell',
  )
const givenFor = (tenantId: string, terms: Partial<NewLicense> = {}) =>
  node.manage.create({ tier: 'standard', ...terms, tenantId }, 'shell')
const toldOf = (id: string) => node.told.filter(({ data }) => data.license_id === id)
const eventsOf = (id: string) => node.licenseRecords.events.list(id, 1_000)
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'done'
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code
    throw thrown
  }
}

describe('a licence', () => {
  test('is made for a new tenant, with a PBX key when that is wanted', async () => {
    const made = await given({ tenantName: 'Acme', withPbxKey: true } as Partial<NewLicense>)
    expect(made.license).toMatchObject({ tier: 'standard', ...TIERS.standard, createdAt: START })
    expect(made.key).toMatch(/^WL-/)
    const [row] = await node.db('pbx_keys').where({ tenant_id: made.license.tenantId })
    expect(row).toMatchObject({ name: 'Acme', key_hash: node.keyring.pbxKeyHash(made.pbxKey ?? '') })
    const second = await givenFor(made.license.tenantId)
    expect(second.license.tenantId).toBe(made.license.tenantId)
    expect(second).not.toHaveProperty('pbxKey')
  })

  test('of an unknown tenant is not made, nor is anything else', async () => {
    const before = await node.db('licenses').count()
    const wanted = { tenantId: newId(), tier: 'free' } as const
    expect(await codeOf(node.manage.create(wanted, 'shell'))).toBe('unknown_tenant')
    expect(await node.db('licenses').count()).toEqual(before)
  })

  test.each([
    [{ tier: 'standard' }, 'standard'],
    [{ tier: 'standard', maxExtensions: 30 }, 'custom'],
    [{ tier: 'standard', maxInstallations: null }, 'custom'],
    [{ tier: 'free', ...TIERS.professional }, 'professional'],
    [{ tier: 'custom', maxExtensions: 7, entitlements: ['calls'] }, 'custom'],
    [{ tier: 'standard', callsPerDay: 10 }, 'standard'],
  ] as const)('with the terms %j is called %s', async (terms, tier) => {
    expect((await given(terms as Partial<NewLicense>)).license.tier).toBe(tier)
  })

  test('keeps no key: neither in its rows, nor in its history, nor in what its owner is told', async () => {
    const { license, key } = await given()
    const { key: second } = await node.manage.rotate(license.id, { overlapDays: 7 }, 'shell')
    const rows = await Promise.all(
      ['licenses', 'license_keys', 'license_events'].map((table) => node.db(table).select()),
    )
    const written = JSON.stringify([rows, toldOf(license.id), await node.lookup.details(license.id)])
    for (const secret of [key, second]) {
      expect(written).not.toContain(secret)
      expect(written).toContain(secret.slice(0, 9))
    }
    const shown = JSON.stringify(await node.lookup.details(license.id))
    expect(shown).not.toContain(node.keyring.licenseKeyHash(key))
  })
})

describe('finding', () => {
  test('takes an id, a key in any writing, and a prefix, also of a key that was replaced', async () => {
    const { license, key } = await given()
    await node.manage.rotate(license.id, { overlapDays: 0 }, 'shell')
    const prefix = key.slice(0, 9)
    const words = [
      license.id,
      license.id.toUpperCase(),
      key,
      key.toLowerCase(),
      ` ${key} `,
      prefix,
      prefix.toLowerCase(),
    ]
    for (const word of words) expect([word, await node.lookup.idOf(word)]).toEqual([word, license.id])
  })

  test.each(['', ' ', 'WL-000000', 'nothing', newId(), '\0', "' OR 1=1 --", '%', 'WL-_______'])(
    '%j finds nothing',
    async (word) => {
      await given()
      expect(await codeOf(node.lookup.idOf(word))).toBe('unknown_license')
    },
  )

  test('a prefix of two licences is told apart by nobody', async () => {
    const [one, other] = [await given(), await given()]
    await node
      .db('license_keys')
      .where({ license_id: other.license.id })
      .update({ key_prefix: one.key.slice(0, 9) })
    expect(await codeOf(node.lookup.idOf(one.key.slice(0, 9)))).toBe('license_ambiguous')
    expect(await node.lookup.idOf(one.key)).toBe(one.license.id)
  })
})

describe('the list', () => {
  test('goes page by page, newest first, also through licences of one moment', async () => {
    const tenantId = (await given()).license.tenantId
    for (let i = 0; i < 6; i += 1) await givenFor(tenantId)
    const all = await node
      .db('licenses')
      .where({ tenant_id: tenantId })
      .orderBy([
        { column: 'created_at', order: 'desc' },
        { column: 'id', order: 'desc' },
      ])
    const seen: string[] = []
    let after: string | undefined
    do {
      const { licenses, next } = await node.lookup.search({ tenantId }, { limit: 3, after })
      seen.push(...licenses.map(({ id }) => id))
      after = next
    } while (after !== undefined)
    expect(seen).toEqual(all.map(({ id }) => id))
  })

  test('finds by name, prefix and notes, and takes no letter for a pattern', async () => {
    const word = newId()
    const { license, key } = await given({
      tenantName: `100%_Wörk ${word}`,
      notes: `Invoice\n${word}-open`,
    } as never)
    const search = async (text: string) =>
      (await node.lookup.search({ text, tenantId: license.tenantId }, { limit: 5 })).licenses.map(
        ({ id }) => id,
      )
    for (const text of [
      '100%_WöRK',
      word.toUpperCase(),
      `${word}-OPEN`,
      key.slice(0, 9),
      key.slice(3, 8).toLowerCase(),
    ])
      expect([text, await search(text)]).toEqual([text, [license.id]])
    for (const text of ['100__W', '%', 'w%k', '\\'])
      expect([text, await search(text)]).toEqual([text, text === '%' ? [license.id] : []])
  })

  test('tells the states apart: what is revoked is nothing else', async () => {
    const tenantId = (await given({ expiresAt: START + 400 * DAY })).license.tenantId
    const add = async (terms: object = {}) => (await givenFor(tenantId, terms)).license.id
    const ids = {
      soon: await add({ expiresAt: START + 10 * DAY }),
      over: await add({ expiresAt: START + HOUR }),
      suspended: await add({ expiresAt: START + HOUR }),
      revoked: await add({ expiresAt: START + HOUR }),
    }
    await node.manage.suspend(ids.suspended, 'x', 'shell')
    await node.manage.suspend(ids.revoked, 'x', 'shell')
    await node.manage.revoke(ids.revoked, 'x', 'shell')
    node.clock.time = START + 2 * HOUR
    const inState = async (state: 'active' | 'expired' | 'suspended' | 'revoked' | 'expiring') =>
      (await node.lookup.search({ state, tenantId }, { limit: 9 })).licenses.map(({ id }) => id)
    expect(await inState('revoked')).toEqual([ids.revoked])
    expect(await inState('suspended')).toEqual([ids.suspended])
    expect(await inState('expired')).toEqual([ids.over])
    expect(await inState('expiring')).toEqual([ids.soon])
    expect(await inState('active')).toHaveLength(2)
    for (const state of ['active', 'expired', 'suspended', 'revoked'] as const) {
      const { licenses } = await node.lookup.search({ state, tenantId }, { limit: 9 })
      expect(licenses.map((license) => license.state)).toEqual(licenses.map(() => state))
    }
    node.clock.time = START
  })
})

describe('changes', () => {
  test('an upgrade copies the terms of the tier, and the audit has both', async () => {
    const { license } = await given({ tier: 'free' })
    const { license: after, changed } = await node.manage.change(
      license.id,
      { tier: 'professional' },
      'operator:ada',
    )
    expect(changed).toBe(true)
    expect(after).toEqual({ ...license, tier: 'professional', ...TIERS.professional })
    expect(await node.licenseRecords.licenses.find(license.id)).toEqual(after)
    const [event] = await eventsOf(license.id)
    expect(event).toMatchObject({
      action: 'changed',
      actor: 'operator:ada',
      details: {
        from: { tier: 'free', max_extensions: 5, max_installations: 2 },
        to: { tier: 'professional', max_extensions: 100, max_installations: 20 },
      },
    })
  })

  test('single terms make it custom, and back', async () => {
    const { license } = await given()
    const to = (change: Parameters<typeof node.manage.change>[1]) =>
      node.manage.change(license.id, change, 'shell')
    expect((await to({ maxExtensions: 26 })).license).toMatchObject({ tier: 'custom', maxExtensions: 26 })
    expect((await to({ maxExtensions: 25 })).license.tier).toBe('standard')
    expect((await to({ maxInstallations: null })).license).not.toHaveProperty('maxInstallations')
    expect((await to({ callsPerDay: 0, messagesPerDay: 9 })).license).toMatchObject({
      callsPerDay: 0,
      messagesPerDay: 9,
    })
    expect((await to({ callsPerDay: null })).license).not.toHaveProperty('callsPerDay')
    expect(await to({ callsPerDay: null })).toMatchObject({ changed: false })
    expect(await eventsOf(license.id)).toHaveLength(1 + 5)
  })

  test('the name that another gateway gave to a tier stays until its terms change', async () => {
    const { license } = await given()
    await node.db('licenses').where({ id: license.id }).update({ tier: 'gold' })
    const to = (change: Parameters<typeof node.manage.change>[1]) =>
      node.manage.change(license.id, change, 'shell')
    expect((await to({ expiresAt: START + DAY })).license.tier).toBe('gold')
    expect((await to({ maxExtensions: 30 })).license.tier).toBe('custom')
  })

  test('notes are for operators: the audit has them, and the owner is told nothing', async () => {
    const { license } = await given()
    await node.manage.revoke(license.id, 'secret reason', 'shell')
    expect(await node.manage.change(license.id, { notes: 'pays late' }, 'shell')).toMatchObject({
      changed: true,
    })
    expect(await node.manage.change(license.id, { notes: 'pays late' }, 'shell')).toMatchObject({
      changed: false,
    })
    expect((await node.lookup.details(license.id)).license.notes).toBe('pays late')
    const told = JSON.stringify(toldOf(license.id))
    expect(told).not.toMatch(/pays late|secret reason/)
    expect(toldOf(license.id).map(({ type }) => type)).toEqual(['license.revoked'])
    expect((await eventsOf(license.id))[0]).toMatchObject({
      action: 'changed',
      details: { notes: 'pays late' },
    })
  })

  test('an owner who cannot be told undoes nothing', async () => {
    const { license } = await given()
    node.owner.isDeaf = true
    const done = await node.manage.suspend(license.id, 'x', 'shell')
    node.owner.isDeaf = false
    expect(done.changed).toBe(true)
    expect((await node.licenseRecords.licenses.find(license.id))?.suspendedAt).toBe(START)
    expect(String(node.errors.pop())).toContain('went away')
  })

  test('twenty at once make one event', async () => {
    const { license } = await given()
    const done = await Promise.all(
      Array.from({ length: 20 }, () => node.manage.suspend(license.id, 'x', 'shell')),
    )
    expect(done.filter(({ changed }) => changed)).toHaveLength(1)
    expect(await eventsOf(license.id)).toHaveLength(2)
    expect(toldOf(license.id)).toHaveLength(1)
  })

  test('twenty rotations at once never leave more than five keys', async () => {
    const { license } = await given()
    const codes = await Promise.all(
      Array.from({ length: 20 }, () => codeOf(node.manage.rotate(license.id, { overlapDays: 1 }, 'shell'))),
    )
    expect(codes.filter((code) => code === 'done')).toHaveLength(MAX_KEYS - 1)
    expect(new Set(codes)).toEqual(new Set(['done', 'too_many_keys']))
    expect(await codeOf(node.manage.rotate(license.id, { overlapDays: 0 }, 'shell'))).toBe('done')
  })

  test('of a licence that is not there are refused, all of them', async () => {
    const { manage } = node
    const id = newId()
    const all = {
      change: () => manage.change(id, { tier: 'free' }, 'shell'),
      renew: () => manage.renew(id, { by: 'never' }, 'shell'),
      suspend: () => manage.suspend(id, 'x', 'shell'),
      reinstate: () => manage.reinstate(id, 'shell'),
      revoke: () => manage.revoke(id, 'x', 'shell'),
      rotate: () => manage.rotate(id, { overlapDays: 1 }, 'shell'),
    } satisfies Record<Exclude<keyof typeof manage, 'create'>, () => Promise<unknown>>
    for (const work of Object.values(all)) expect(await codeOf(work())).toBe('unknown_license')
  })
})

describe('renewing', () => {
  const endOf = async (expiresAt: string, renewal: Parameters<typeof node.manage.renew>[1]) => {
    const { license } = await given({ expiresAt: Date.parse(expiresAt) })
    const renewed = await node.manage.renew(license.id, renewal, 'shell')
    return renewed.license.expiresAt && new Date(renewed.license.expiresAt).toISOString()
  }

  test.each([
    ['2027-01-31T08:00:00Z', { by: 'months', count: 1 }, '2027-02-28T08:00:00.000Z'],
    ['2027-01-31T08:00:00Z', { by: 'months', count: 13 }, '2028-02-29T08:00:00.000Z'],
    ['2027-12-15T00:00:00Z', { by: 'months', count: 1 }, '2028-01-15T00:00:00.000Z'],
    ['2027-02-28T00:00:00Z', { by: 'months', count: 12 }, '2028-02-28T00:00:00.000Z'],
    ['2027-03-27T23:30:00Z', { by: 'days', count: 2 }, '2027-03-29T23:30:00.000Z'],
    // It is over: on from now, which is 2026-11-21T12:00:00Z.
    ['2026-01-01T00:00:00Z', { by: 'months', count: 1 }, '2026-12-21T12:00:00.000Z'],
    ['2026-01-01T00:00:00Z', { by: 'days', count: 1 }, '2026-11-22T12:00:00.000Z'],
    [
      '2027-01-01T00:00:00Z',
      { by: 'date', until: Date.parse('2027-06-01T00:00:00Z') },
      '2027-06-01T00:00:00.000Z',
    ],
    ['2027-01-01T00:00:00Z', { by: 'never' }, undefined],
  ] as const)('%s by %j ends %s', async (expiresAt, renewal, end) => {
    expect(await endOf(expiresAt, renewal)).toBe(end)
  })

  test.each([
    ['before its end', Date.parse('2026-12-31T23:59:59Z')],
    ['in the past', START - 1],
  ])('%s is refused: that would take time away', async (_what, until) => {
    const { license } = await given({ expiresAt: Date.parse('2027-01-01T00:00:00Z') })
    const refused = node.manage.renew(license.id, { by: 'date', until }, 'shell')
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request', details: { field: 'until' } })
  })

  test('beyond the calendar is refused, and what never ends is not put off', async () => {
    const { license } = await given({ expiresAt: Date.parse('9999-12-30T00:00:00Z') })
    const renew = (renewal: Parameters<typeof node.manage.renew>[1]) =>
      node.manage.renew(license.id, renewal, 'shell')
    await expect(renew({ by: 'days', count: 2 })).rejects.toMatchObject({ details: { field: 'days' } })
    await expect(renew({ by: 'months', count: 1_200 })).rejects.toMatchObject({
      details: { field: 'months' },
    })
    await renew({ by: 'never' })
    expect(await codeOf(renew({ by: 'days', count: 2 }))).toBe('license_perpetual')
    expect(await renew({ by: 'never' })).toMatchObject({ changed: false })
  })
})

describe('any life', () => {
  type Operation =
    | { do: 'suspend' | 'reinstate' | 'revoke' | 'never' }
    | { do: 'days' | 'until' | 'rotate' | 'sleep'; count: number }
    | { do: 'tier'; tier: Tier }
    | { do: 'extensions'; count: number }
  const count = fc.integer({ min: 26, max: 60 })
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('suspend', 'reinstate') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('revoke', 'never') }) },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('days', 'until', 'sleep', 'extensions'), count }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('rotate'), count: fc.integer({ min: 0, max: 90 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('tier'), tier: fc.constantFrom('free', 'standard') }),
    },
  ) as fc.Arbitrary<Operation>

  /** What ought to be: no store, no code of ours. */
  const modelOf = (now: number) => ({
    now,
    revoked: false,
    suspended: false,
    ends: now + 30 * DAY,
    tier: 'standard' as string,
    extensions: 25,
    keys: [Number.POSITIVE_INFINITY],
    changes: 0,
  })
  type Model = ReturnType<typeof modelOf>

  /** Does it to the model, and says what the answer must be: changed, same, or a code. */
  function foresee(model: Model, wanted: Operation): string {
    if (wanted.do === 'sleep') return 'slept'
    if (wanted.do === 'revoke') {
      if (model.revoked) return 'same'
      model.revoked = true
      return 'changed'
    }
    const before = JSON.stringify([model.suspended, model.ends, model.tier, model.extensions])
    const result = (() => {
      if (model.revoked && wanted.do !== 'tier' && wanted.do !== 'extensions') return 'license_revoked'
      if (wanted.do === 'suspend') model.suspended = true
      if (wanted.do === 'reinstate') model.suspended = false
      if (wanted.do === 'never') model.ends = Number.POSITIVE_INFINITY
      if (wanted.do === 'days' || wanted.do === 'until') {
        if (model.ends === Number.POSITIVE_INFINITY) return 'license_perpetual'
        if (wanted.do === 'days') model.ends = Math.max(model.now, model.ends) + wanted.count * DAY
        else if (START + wanted.count * DAY < Math.max(model.now, model.ends)) return 'invalid_request'
        else model.ends = START + wanted.count * DAY
      }
      if (wanted.do === 'rotate') {
        const keys = model.keys.map((end) => Math.min(end, model.now + wanted.count * DAY))
        if (keys.filter((end) => end > model.now).length >= 5) return 'too_many_keys'
        model.keys = [...keys, Number.POSITIVE_INFINITY]
        return 'changed'
      }
      const [tier, extensions] = [model.tier, model.extensions]
      if (wanted.do === 'tier')
        [model.tier, model.extensions] = [wanted.tier, wanted.tier === 'free' ? 5 : 25]
      if (wanted.do === 'extensions') {
        // More than any tier of the test has, so that it is never one again by chance.
        model.extensions = wanted.count
        if (wanted.count !== extensions) model.tier = 'custom'
      }
      if (model.revoked && (model.tier !== tier || model.extensions !== extensions)) {
        ;[model.tier, model.extensions] = [tier, extensions]
        return 'license_revoked'
      }
      return undefined
    })()
    if (result !== undefined) return result
    return JSON.stringify([model.suspended, model.ends, model.tier, model.extensions]) === before
      ? 'same'
      : 'changed'
  }

  async function perform(id: string, keys: string[], wanted: Operation): Promise<string> {
    const { manage, clock } = node
    const work = (): Promise<{ changed?: boolean; key?: string }> => {
      switch (wanted.do) {
        case 'suspend':
          return manage.suspend(id, 'x', 'shell')
        case 'reinstate':
          return manage.reinstate(id, 'shell')
        case 'revoke':
          return manage.revoke(id, 'x', 'shell')
        case 'never':
          return manage.renew(id, { by: 'never' }, 'shell')
        case 'days':
          return manage.renew(id, { by: 'days', count: wanted.count }, 'shell')
        case 'until':
          return manage.renew(id, { by: 'date', until: START + wanted.count * DAY }, 'shell')
        case 'rotate':
          return manage.rotate(id, { overlapDays: wanted.count }, 'shell')
        case 'tier':
          return manage.change(id, { tier: wanted.tier }, 'shell')
        case 'extensions':
          return manage.change(id, { maxExtensions: wanted.count }, 'shell')
        case 'sleep':
          clock.time += wanted.count * HOUR + SECOND
          return Promise.resolve({})
      }
    }
    if (wanted.do === 'sleep') return work().then(() => 'slept')
    try {
      const { changed, key } = await work()
      if (key !== undefined) keys.push(key)
      return changed === false ? 'same' : 'changed'
    } catch (thrown) {
      if (thrown instanceof Problem) return thrown.code
      throw thrown
    }
  }

  test('goes as a simple model of it does, and every change has its event', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
        node.clock.time = START
        const model = modelOf(START)
        const { license, key } = await given({ expiresAt: model.ends })
        const { id } = license
        const keys = [key]
        for (const wanted of operations) {
          const foreseen = foresee(model, wanted)
          expect([wanted, await perform(id, keys, wanted)]).toEqual([wanted, foreseen])
          model.now = node.clock.time
          if (foreseen === 'changed') model.changes += 1
          const found = await node.licenseRecords.licenses.find(id)
          expect({
            revoked: found?.revokedAt !== undefined,
            suspended: found?.suspendedAt !== undefined,
            ends: found?.expiresAt ?? Number.POSITIVE_INFINITY,
            extensions: found?.maxExtensions,
          }).toEqual({
            revoked: model.revoked,
            suspended: model.suspended,
            ends: model.ends,
            extensions: model.extensions,
          })
        }
        const found = await Promise.all(
          keys.map((each) => node.licenseRecords.licenses.findByKeyHash(node.keyring.licenseKeyHash(each))),
        )
        expect(found.map((each) => each?.key.expiresAt ?? Number.POSITIVE_INFINITY)).toEqual(model.keys)
        expect(await eventsOf(id)).toHaveLength(1 + model.changes)
        expect(toldOf(id)).toHaveLength(model.changes)
      }),
      { numRuns: 60 },
    )
    node.clock.time = START
  })
})
