import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { DAY, MINUTE } from '../../src/lib/units.ts'
import type { License } from '../../src/license/license.ts'
import { INSTALLATION_MS, type LicenseNodes, openLicenseNodes } from '../support/license-nodes.ts'

/** The seats of licences, on two processes over one database. */
let nodes: LicenseNodes
beforeAll(async () => {
  nodes = await openLicenseNodes()
})
afterAll(() => nodes[Symbol.asyncDispose]())

const activate = (license: License, hostname: string, fingerprint?: string, node = 0) =>
  (nodes.nodes[node] ?? nodes).installations.activate({
    ...{ license, hostname, fingerprint },
    version: '1.0',
    actor: 'pbx',
  })

describe('activation', () => {
  test('gives a machine one seat, however often it asks', async () => {
    const license = await nodes.givenLicense()
    const first = await activate(license, 'pbx1')
    expect(first.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    nodes.pass(MINUTE)
    const again = await nodes.installations.activate({
      ...{ license, hostname: 'PBX1', version: '2.0', actor: 'pbx' },
    })
    expect(again).toEqual({ ...first, hostname: 'PBX1', version: '2.0', lastSeenAt: nodes.clock.now() })
    expect(await nodes.installations.list(license.id)).toEqual([again])
    expect(await nodes.audit(license.id)).toEqual([
      { action: 'activated', actor: 'pbx', instance_id: first.id, hostname: 'pbx1', version: '1.0' },
    ])
  })

  test('knows a machine by its fingerprint when its name changes, and tells two of one name apart', async () => {
    const license = await nodes.givenLicense()
    const one = await activate(license, 'pbx', 'fingerprint-1')
    nodes.pass(1)
    const two = await activate(license, 'pbx', 'fingerprint-2')
    expect(two.id).not.toBe(one.id)
    expect((await activate(license, 'renamed', 'fingerprint-1')).id).toBe(one.id)
    const names = (await nodes.installations.list(license.id)).map(({ hostname }) => hostname)
    expect(names).toEqual(['renamed', 'pbx'])
  })

  test('a machine known by its name keeps its seat when it comes with a fingerprint', async () => {
    const license = await nodes.givenLicense({ maxInstallations: 1 })
    const nameless = await activate(license, 'pbx1')
    nodes.pass(1)
    expect(await activate(license, 'PBX1', 'fingerprint-1')).toMatchObject({
      id: nameless.id,
      fingerprint: 'fingerprint-1',
    })
    expect((await activate(license, 'elsewhere', 'fingerprint-1')).id).toBe(nameless.id)
    // From now on another machine of that name is another one.
    await expect(activate(license, 'elsewhere')).rejects.toMatchObject({ code: 'TOO_MANY_INSTALLATIONS' })
    expect(await nodes.audit(license.id)).toMatchObject([
      { action: 'activated' },
      { action: 'activated', instance_id: nameless.id, identified: true },
    ])
  })

  test('is refused when all seats are taken, and says by whom', async () => {
    const license = await nodes.givenLicense({ maxInstallations: 2 })
    const longest = await activate(license, 'pbx1', 'fingerprint-1')
    nodes.pass(MINUTE)
    const holders = [longest, await activate(license, 'pbx2')]
    const refusal = await activate(license, 'pbx3').catch((error) => error)
    expect(refusal).toMatchObject({
      status: 403,
      code: 'TOO_MANY_INSTALLATIONS',
      message: 'this licence is for 2 installations, and 2 are in use: deactivate one, or transfer its seat',
      details: { extra: { max_installations: 2, installation_count: 2 } },
    })
    // A fingerprint is nobody's but the machine's.
    expect(refusal.details.extra.installations).toEqual(
      holders.map(({ id, hostname, version, activatedAt, lastSeenAt }) => ({
        ...{ instance_id: id, hostname, version },
        activated_at: new Date(activatedAt).toISOString(),
        last_seen_at: new Date(lastSeenAt).toISOString(),
      })),
    )
    expect(await nodes.installations.list(license.id)).toHaveLength(2)
  })

  test('any number, where the licence sets none', async () => {
    const license = await nodes.givenLicense({ maxInstallations: null })
    await Promise.all(Array.from({ length: 30 }, (_, i) => activate(license, `pbx${i}`, undefined, i % 2)))
    expect(await nodes.installations.list(license.id)).toHaveLength(30)
  })

  test('of a licence that is gone is refused', async () => {
    const license = await nodes.givenLicense()
    await nodes.db('licenses').where({ id: license.id }).delete()
    await expect(activate(license, 'pbx1')).rejects.toMatchObject({ status: 403, code: 'NOT_FOUND' })
  })
})

describe('50 at the same time, at two nodes, 100 times over', () => {
  const race = async (license: License, limit: number) => {
    const done = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => activate(license, `racer${i}`, undefined, i % 2)),
    )
    const refused = done.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    expect(done.length - refused.length).toBe(limit)
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['TOO_MANY_INSTALLATIONS']))
  }

  test('exactly the limit of a fresh licence', async () => {
    for (let round = 0; round < 100; round += 1) {
      const license = await nodes.givenLicense({ maxInstallations: 5 })
      await race(license, 5)
      expect(await nodes.installations.list(license.id)).toHaveLength(5)
    }
  }, 300_000)

  test('exactly the last seat of one that is nearly full', async () => {
    for (let round = 0; round < 100; round += 1) {
      const license = await nodes.givenLicense({ maxInstallations: 3 })
      await activate(license, 'early1')
      await activate(license, 'early2')
      await race(license, 1)
      expect(await nodes.installations.list(license.id)).toHaveLength(3)
    }
  }, 300_000)

  test('one seat for one machine', async () => {
    for (let round = 0; round < 100; round += 1) {
      const license = await nodes.givenLicense({ maxInstallations: 5 })
      const done = await Promise.all(
        Array.from({ length: 50 }, (_, i) => activate(license, 'same', 'fingerprint-1', i % 2)),
      )
      expect(new Set(done.map(({ id }) => id)).size).toBe(1)
      expect(await nodes.installations.list(license.id)).toHaveLength(1)
    }
  }, 300_000)
})

describe('a machine that is gone', () => {
  test('gives its seat to the next one that asks, not a moment too early', async () => {
    const license = await nodes.givenLicense({ maxInstallations: 2 })
    const gone = await activate(license, 'gone')
    nodes.pass(1)
    const there = await activate(license, 'there')
    nodes.pass(INSTALLATION_MS - 1)
    await expect(activate(license, 'next')).rejects.toMatchObject({ code: 'TOO_MANY_INSTALLATIONS' })
    nodes.pass(1)
    const next = await activate(license, 'next')
    expect((await nodes.installations.list(license.id)).map(({ id }) => id)).toEqual([there.id, next.id])
    const events = (await nodes.audit(license.id)).slice(2)
    expect(events).toHaveLength(2)
    // Both at the same moment, and in no order.
    expect(events).toEqual(
      expect.arrayContaining([
        { action: 'deactivated', actor: 'system', instance_id: gone.id, hostname: 'gone', why: 'dead' },
        { action: 'activated', actor: 'pbx', instance_id: next.id, hostname: 'next', version: '1.0' },
      ]),
    )
  })

  test('is found by the sweep, over all licences, and comes back while there is a seat', async () => {
    nodes.pass(INSTALLATION_MS + 1)
    await nodes.installations.cullDead()
    const before = await freed()
    const [one, two] = [
      await nodes.givenLicense({ maxInstallations: 1 }),
      await nodes.givenLicense({ maxInstallations: 1 }),
    ]
    const [ofOne, ofTwo] = [await activate(one, 'pbx'), await activate(two, 'pbx')]
    nodes.pass(INSTALLATION_MS)
    await nodes.installations.heartbeat(two, ofTwo.id)
    expect(await nodes.installations.cullDead()).toBe(0)
    nodes.pass(1)
    expect(await nodes.installations.cullDead()).toBe(1)
    expect((await freed()) - before).toBe(1)
    expect(await nodes.installations.list(one.id)).toEqual([])
    expect(await nodes.installations.list(two.id)).toHaveLength(1)

    nodes.pass(1)
    const back = await nodes.installations.heartbeat(one, ofOne.id, { version: '3.0' })
    expect(back).toEqual({ ...ofOne, version: '3.0', lastSeenAt: nodes.clock.now() })
    expect((await nodes.audit(one.id)).at(-1)).toMatchObject({ action: 'activated', revived: true })

    nodes.pass(INSTALLATION_MS + 1)
    await nodes.installations.cullDead()
    const other = await activate(one, 'other')
    await expect(nodes.installations.heartbeat(one, ofOne.id)).rejects.toMatchObject({
      status: 403,
      code: 'TOO_MANY_INSTALLATIONS',
    })
    await nodes.installations.deactivate(one, other.id, 'released', 'pbx')
    expect((await nodes.installations.heartbeat(one, ofOne.id)).id).toBe(ofOne.id)
  })

  test('and has taken another seat since, does not get two', async () => {
    const license = await nodes.givenLicense()
    const old = await activate(license, 'pbx1')
    nodes.pass(INSTALLATION_MS + 1)
    await nodes.installations.cullDead()
    const current = await activate(license, 'pbx1')
    expect(current.id).not.toBe(old.id)
    await expect(nodes.installations.heartbeat(license, old.id)).rejects.toMatchObject({
      code: 'INSTALLATION_DEACTIVATED',
    })
    expect((await nodes.installations.list(license.id)).map(({ id }) => id)).toEqual([current.id])
  })

  test('more of them than one look of the sweep finds', async () => {
    await nodes.installations.cullDead()
    const license = await nodes.givenLicense({ maxInstallations: null })
    await nodes.db.raw(
      `WITH l AS (
         INSERT INTO licenses (id, tenant_id, tier, max_extensions)
         SELECT gen_random_uuid(), ?, 'custom', 5 FROM generate_series(1, 600) RETURNING id)
       INSERT INTO installations (id, license_id, identity, hostname, activated_at, last_seen_at)
       SELECT gen_random_uuid(), id, 'host:gone', 'gone', now(), ? FROM l`,
      [license.tenantId, new Date(nodes.clock.now() - INSTALLATION_MS - 1)],
    )
    expect(await nodes.installations.cullDead()).toBe(600)
    expect(await nodes.installations.cullDead()).toBe(0)
  })

  const freed = async () =>
    Number(/wakeline_installations_freed_total (\d+)/.exec(await nodes.metrics.registry.metrics())?.[1])
})

describe('deactivation and transfer', () => {
  test('frees the seat once, and keeps who did it', async () => {
    const license = await nodes.givenLicense({ maxInstallations: 1 })
    const first = await activate(license, 'pbx1')
    nodes.pass(1)
    const ended = await nodes.installations.deactivate(license, first.id, 'forced', 'operator:ada')
    expect(ended).toEqual({ ...first, deactivatedAt: nodes.clock.now(), deactivatedWhy: 'forced' })
    nodes.pass(MINUTE)
    expect(await nodes.installations.deactivate(license, first.id, 'released', 'pbx')).toEqual(ended)
    await expect(nodes.installations.heartbeat(license, first.id)).rejects.toMatchObject({
      status: 403,
      code: 'INSTALLATION_DEACTIVATED',
    })
    expect((await activate(license, 'pbx2')).id).not.toBe(first.id)
    expect((await nodes.audit(license.id)).slice(1, -1)).toEqual([
      {
        action: 'deactivated',
        actor: 'operator:ada',
        instance_id: first.id,
        hostname: 'pbx1',
        why: 'forced',
      },
    ])
  })

  test('moves a seat when all are taken, and the same answer comes again', async () => {
    const license = await nodes.givenLicense({ maxInstallations: 1 })
    const old = await activate(license, 'old')
    nodes.pass(1)
    const to = { hostname: 'new', fingerprint: 'fingerprint-2', version: '2.0' }
    const moved = await nodes.installations.transfer(license, old.id, to, 'pbx')
    expect(moved).toMatchObject(to)
    expect(await nodes.installations.list(license.id)).toEqual([moved])
    const again = await nodes.installations.transfer(license, old.id, to, 'pbx')
    expect(again).toEqual(moved)
    expect((await nodes.audit(license.id)).slice(1)).toEqual([
      {
        ...{ action: 'transferred', actor: 'pbx', instance_id: moved.id, hostname: 'new' },
        ...{ from_instance_id: old.id, from_hostname: 'old' },
      },
    ])
    // To somebody else it cannot go a second time.
    await expect(
      nodes.installations.transfer(license, old.id, { hostname: 'third', version: '' }, 'pbx'),
    ).rejects.toMatchObject({ code: 'INSTALLATION_DEACTIVATED' })
  })

  test('to a machine that has a seat frees the other one', async () => {
    const license = await nodes.givenLicense({ maxInstallations: 2 })
    const [old, there] = [await activate(license, 'old'), await activate(license, 'there')]
    const to = { hostname: 'there', version: '2.0' }
    expect((await nodes.installations.transfer(license, old.id, to, 'pbx')).id).toBe(there.id)
    expect((await nodes.installations.list(license.id)).map(({ id }) => id)).toEqual([there.id])
  })

  test('to the machine itself changes nothing but what it says', async () => {
    const license = await nodes.givenLicense()
    const own = await activate(license, 'pbx1')
    const to = { hostname: 'pbx1', fingerprint: 'fingerprint-1', version: '2.0' }
    expect(await nodes.installations.transfer(license, own.id, to, 'pbx')).toMatchObject({
      id: own.id,
      ...to,
    })
    expect(await nodes.installations.list(license.id)).toHaveLength(1)
  })

  test('nothing of another licence can be reached', async () => {
    const [mine, theirs] = [await nodes.givenLicense(), await nodes.givenLicense()]
    const foreign = await activate(theirs, 'pbx1')
    const to = { hostname: 'mine', version: '' }
    for (const id of [foreign.id, randomUUID()]) {
      const attempts = [
        nodes.installations.heartbeat(mine, id),
        nodes.installations.deactivate(mine, id, 'forced', 'pbx'),
        nodes.installations.transfer(mine, id, to, 'pbx'),
      ]
      for (const attempt of attempts)
        await expect(attempt).rejects.toMatchObject({ status: 404, code: 'INSTALLATION_NOT_FOUND' })
    }
    expect(await nodes.installations.list(theirs.id)).toEqual([foreign])
    expect(await nodes.installations.list(mine.id)).toEqual([])
  })
})

describe('any course of events', () => {
  const machine = fc.record({
    hostname: fc.constantFrom('a', 'B', 'b'),
    fingerprint: fc.option(fc.constantFrom('fingerprint-1', 'fingerprint-2'), { nil: undefined }),
  })
  const step = fc.oneof(
    machine.map((by) => ({ ...by, does: 'activate' as const })),
    fc.record({ does: fc.constant('heartbeat' as const), who: fc.nat(9) }),
    fc.record({ does: fc.constant('deactivate' as const), who: fc.nat(9) }),
    fc.tuple(machine, fc.nat(9)).map(([to, who]) => ({ ...to, does: 'transfer' as const, who })),
    fc.record({ does: fc.constant('pass' as const), days: fc.constantFrom(1, 20, 31) }),
    fc.constant({ does: 'cull' as const }),
  )

  test('never takes more seats than there are, never gives a machine two, and is whole in the audit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        const license = await nodes.givenLicense({ maxInstallations: 2 })
        const known: string[] = []
        for (const each of steps) {
          const who = 'who' in each ? (known[each.who % (known.length || 1)] ?? randomUUID()) : ''
          const before = new Set((await nodes.installations.list(license.id)).map(({ id }) => id))
          const events = (await nodes.audit(license.id)).length
          const ran = await run(license, each, who).then(
            () => 'done',
            ({ code }) => code,
          )
          expect([
            'done',
            'TOO_MANY_INSTALLATIONS',
            'INSTALLATION_NOT_FOUND',
            'INSTALLATION_DEACTIVATED',
          ]).toContain(ran)
          const active = await nodes.installations.list(license.id)
          expect(active.length).toBeLessThanOrEqual(2)
          const after = new Set(active.map(({ id }) => id))
          known.push(...[...after.difference(before)].filter((id) => !known.includes(id)))
          const changed = after.symmetricDifference(before).size
          if (changed > 0) expect((await nodes.audit(license.id)).length).toBeGreaterThan(events)
          if (ran !== 'done') expect(changed).toBe(0)
          const identities = active.map((held) => held.fingerprint ?? `host ${held.hostname.toLowerCase()}`)
          expect(new Set(identities).size).toBe(identities.length)
        }
      }),
      { numRuns: 60 },
    )
  })

  type Step = Parameters<Parameters<typeof step.map>[0]>[0]
  async function run(license: License, each: Step, who: string): Promise<unknown> {
    const { installations } = nodes
    if (each.does === 'activate') return activate(license, each.hostname, each.fingerprint)
    if (each.does === 'heartbeat') return installations.heartbeat(license, who)
    if (each.does === 'deactivate') return installations.deactivate(license, who, 'forced', 'pbx')
    if (each.does === 'transfer') {
      const { hostname, fingerprint } = each
      return installations.transfer(license, who, { hostname, fingerprint, version: '' }, 'pbx')
    }
    if (each.does === 'cull') return installations.cullDead()
    return nodes.pass(each.days * DAY)
  }
})
