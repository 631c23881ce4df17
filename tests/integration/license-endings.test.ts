import { DAY, HOUR } from '../../src/lib/units.ts'
import { TELL_DAYS } from '../../src/license/announce-endings.ts'
import { cullInstallations } from '../../workers/cull-installations.ts'
import { INSTALLATION_MS, type LicenseNodes, openLicenseNodes } from '../support/license-nodes.ts'

/** Owners are told in time that a licence will end. */
let nodes: LicenseNodes
beforeEach(async () => {
  nodes = await openLicenseNodes()
})
afterEach(() => nodes[Symbol.asyncDispose]())

const run = (node = 0) =>
  cullInstallations(nodes.nodes[node] ?? nodes).run({}, { number: 0, last: true, pauseMs: 0 }, 'cull')
const toldDays = () => nodes.announced.map(({ data }) => data.days)

test('14, 3 and 1 days before the end, once each, and not after it', async () => {
  const end = nodes.clock.now() + 20 * DAY
  const license = await nodes.givenLicense({ expiresAt: end })
  const told: unknown[] = []
  while (nodes.clock.now() < end + DAY) {
    const left = end - nodes.clock.now()
    await run()
    const expected = TELL_DAYS.filter((days) => left <= days * DAY)
    told.push(...expected.slice(told.length))
    expect(toldDays()).toEqual(told)
    nodes.pass(6 * HOUR)
  }
  expect(told).toEqual([14, 3, 1])
  const expires_at = new Date(end).toISOString()
  expect(nodes.announced[0]).toEqual({
    tenantId: license.tenantId,
    type: 'license.expiring',
    data: { license_id: license.id, tier: 'custom', days: 14, expires_at },
  })
  expect(await nodes.audit(license.id)).toEqual(
    [14, 3, 1].map((days) => ({ action: 'expiring', actor: 'system', days, expires_at })),
  )
})

test('once over all nodes at the same time, and again for another end', async () => {
  const license = await nodes.givenLicense({ expiresAt: nodes.clock.now() + 2 * DAY })
  await Promise.all(Array.from({ length: 20 }, (_, i) => run(i % 2)))
  expect(toldDays()).toEqual([3])
  await nodes
    .db('licenses')
    .where({ id: license.id })
    .update({ expires_at: new Date(nodes.clock.now() + 13 * DAY) })
  await run()
  expect(toldDays()).toEqual([3, 14])
})

test('not of licences that are not in force or never end; all others, however many', async () => {
  const now = nodes.clock.now()
  const tell = await nodes.givenLicense({ expiresAt: now + DAY })
  for (const change of [{ revoked_at: new Date(now) }, { suspended_at: new Date(now) }]) {
    const { id } = await nodes.givenLicense({ expiresAt: now + DAY })
    await nodes.db('licenses').where({ id }).update(change)
  }
  await nodes.givenLicense()
  await nodes.givenLicense({ expiresAt: now + 15 * DAY })
  await nodes.givenLicense({ expiresAt: now - 1 })
  await run()
  expect(nodes.announced.map(({ data }) => data.license_id)).toEqual([tell.id])
  await nodes.db.raw(
    `INSERT INTO licenses (id, tenant_id, tier, max_extensions, expires_at)
     SELECT gen_random_uuid(), ?, 'custom', 5, ? FROM generate_series(1, 1100)`,
    [tell.tenantId, new Date(now + DAY)],
  )
  await run()
  expect(nodes.announced).toHaveLength(1_101)
})

test('what could not be told is told later; seats are freed all the same', async () => {
  const license = await nodes.givenLicense({ expiresAt: nodes.clock.now() + INSTALLATION_MS + DAY })
  await nodes.installations.activate({ license, hostname: 'gone', version: '', actor: 'pbx' })
  nodes.pass(INSTALLATION_MS + 1)
  nodes.fault.announce = new Error('away')
  await expect(run()).rejects.toThrow('away')
  expect(await nodes.installations.list(license.id)).toEqual([])
  expect((await nodes.audit(license.id)).map(({ action }) => action)).toEqual(['activated', 'deactivated'])
  delete nodes.fault.announce
  await run()
  expect(toldDays()).toEqual([1])
})
