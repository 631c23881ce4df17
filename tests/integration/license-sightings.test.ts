import { randomUUID } from 'node:crypto'
import { MINUTE } from '../../src/lib/units.ts'
import { createInstallationSightings } from '../../src/license/installation-sightings.ts'
import type { Sighting } from '../../src/license/installation-store.ts'
import type { License } from '../../src/license/license.ts'
import { INSTALLATION_MS, type LicenseNodes, openLicenseNodes } from '../support/license-nodes.ts'

/** Every use of a licence is a sign of life of an installation, and costs next to nothing. */
let nodes: LicenseNodes
beforeEach(async () => {
  nodes = await openLicenseNodes()
})
afterEach(() => nodes[Symbol.asyncDispose]())

const activate = (license: License, hostname: string) =>
  nodes.installations.activate({ license, hostname, version: '', actor: 'pbx' })
const seen = async (license: License) =>
  Object.fromEntries(
    (await nodes.installations.list(license.id)).map(({ hostname, lastSeenAt }) => [hostname, lastSeenAt]),
  )

test('of the one that says its instance id, and without one of all that never did', async () => {
  const [license, other] = [await nodes.givenLicense(), await nodes.givenLicense()]
  const begin = nodes.clock.now()
  const [named, elsewhere] = [await activate(license, 'named'), await activate(other, 'elsewhere')]
  await activate(license, 'silent1')
  await activate(license, 'silent2')
  const gone = await activate(license, 'gone')
  await nodes.installations.deactivate(license, gone.id, 'forced', 'pbx')

  nodes.pass(MINUTE)
  nodes.sightings.saw(license.id, named.id)
  await nodes.sightings.close()
  expect(await seen(license)).toEqual({ named: begin + MINUTE, silent1: begin, silent2: begin })

  nodes.pass(MINUTE)
  nodes.sightings.saw(license.id, undefined)
  // Whatever is claimed of others, or of nobody, changes nothing.
  for (const id of [elsewhere.id, gone.id, randomUUID()]) nodes.sightings.saw(license.id, id)
  await nodes.sightings.close()
  const later = begin + 2 * MINUTE
  expect(await seen(license)).toEqual({ named: begin + MINUTE, silent1: later, silent2: later })
  expect(await seen(other)).toEqual({ elsewhere: begin })
  expect(nodes.errors).toEqual([])
})

test('one that beats is not meant by the pushes of others', async () => {
  const license = await nodes.givenLicense()
  const [beating] = [await activate(license, 'beating'), await activate(license, 'silent')]
  await nodes.installations.heartbeat(license, beating.id)
  const begin = nodes.clock.now()
  nodes.pass(MINUTE)
  nodes.sightings.saw(license.id, undefined)
  await nodes.sightings.close()
  expect(await seen(license)).toEqual({ beating: begin, silent: begin + MINUTE })
})

test('a dead one that pushes gets its seat back, while there is one', async () => {
  const license = await nodes.givenLicense({ maxInstallations: 1 })
  const first = await activate(license, 'pbx1')
  nodes.pass(INSTALLATION_MS + 1)
  await nodes.installations.cullDead()
  nodes.sightings.saw(license.id, first.id)
  await nodes.sightings.close()
  expect((await nodes.installations.list(license.id)).map(({ id }) => id)).toEqual([first.id])

  nodes.pass(INSTALLATION_MS + 1)
  await nodes.installations.cullDead()
  const second = await activate(license, 'pbx2')
  nodes.sightings.saw(license.id, first.id)
  await nodes.sightings.close()
  expect((await nodes.installations.list(license.id)).map(({ id }) => id)).toEqual([second.id])
  expect(nodes.errors).toEqual([])
})

/** What is written, without a database. */
function withoutStore() {
  const written: (readonly Sighting[])[] = []
  const fault: { error?: Error } = {}
  const sightings = createInstallationSightings({
    installationStore: {
      see: async (each) => {
        written.push(each)
        if (fault.error) throw fault.error
      },
      deadAmong: async () => [],
    },
    installations: nodes.installations,
    clock: nodes.clock,
    onError: (error) => nodes.errors.push(error),
  })
  return { sightings, written, fault }
}

test('10,000 uses of a minute are one statement with one line for each installation', async () => {
  const { sightings, written } = withoutStore()
  for (let i = 0; i < 10_000; i += 1) sightings.saw('license', i % 2 === 0 ? 'instance' : undefined)
  await sightings.close()
  for (let i = 0; i < 10_000; i += 1) sightings.saw('license', i % 2 === 0 ? 'instance' : undefined)
  await sightings.close()
  const at = nodes.clock.now()
  const lines = [
    { licenseId: 'license', instanceId: 'instance', at },
    { licenseId: 'license', instanceId: undefined, at },
  ]
  expect(written).toEqual([lines])
  nodes.pass(MINUTE)
  sightings.saw('license', undefined)
  await sightings.close()
  expect(written).toHaveLength(2)
})

test('a million instance ids that nobody has do not fill the memory', async () => {
  const { sightings, written } = withoutStore()
  for (let i = 0; i < 1_000_000; i += 1) sightings.saw('license', `${i}`)
  await sightings.close()
  expect(written.map(({ length }) => length)).toEqual([10_000])
  // And another licence is seen all the same.
  sightings.saw('another', undefined)
  await sightings.close()
  expect(written[1]).toMatchObject([{ licenseId: 'another' }])
})

test('a store that fails is told, and the next minute tries again', async () => {
  const { sightings, written, fault } = withoutStore()
  fault.error = new Error('away')
  sightings.saw('license', undefined)
  await sightings.close()
  expect(nodes.errors).toEqual([fault.error])
  delete fault.error
  nodes.pass(MINUTE)
  sightings.saw('license', undefined)
  await sightings.close()
  expect(written).toHaveLength(2)
})
