import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { DAY } from '../../src/lib/units.ts'
import { createTenant, type NewTenant } from '../../src/license/create-tenant.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** How the holder of a licence looks after its seats, and what bad input gets. */
describe.each(BACKENDS)('installations on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, env: { RATE_LIMITS: 'off' } })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const customer = async (terms: Partial<NewTenant> = {}) => {
    const made = await createTenant(gateway.context, { name: 'test', tier: 'free', ...terms })
    const key = { 'x-license-key': made.licenseKey }
    const post = (path: string, body: Record<string, unknown>, headers: Record<string, string> = {}) =>
      gateway.request('POST', `/v1/license/${path}`, {
        body: { license_key: made.licenseKey, ...body },
        headers,
      })
    const activated = async (hostname: string, fingerprint?: string): Promise<string> =>
      (await post('activate', { hostname, fingerprint })).json.data.instance_id
    const list = async () =>
      (await gateway.request('GET', '/v1/license/installations', { headers: key })).json.data
    const hostnames = async () =>
      (await list()).installations.map((each: { hostname: string }) => each.hostname)
    const rows = () => gateway.context.db('installations').where({ license_id: made.licenseId })
    const unseenFor = (id: string, ms: number) =>
      rows()
        .where({ id })
        .update({ last_seen_at: new Date(Date.now() - ms) })
    const seenAt = async (id: string) => (await rows().where({ id }))[0].last_seen_at.getTime()
    const audit = async () => {
      const events = await gateway.context.licenseRecords.events.list(made.licenseId, 100)
      return events.reverse().map(({ action, details }) => [action, details.instance_id, details.why])
    }
    return { ...made, key, post, activated, list, hostnames, unseenFor, seenAt, audit }
  }

  test('are listed with the limit', async () => {
    const { activated, list } = await customer()
    const id = await activated('pbx1', 'fingerprint-1')
    expect(await list()).toEqual({
      max_installations: 2,
      installations: [
        {
          ...{ instance_id: id, hostname: 'pbx1', version: '' },
          activated_at: expect.any(String),
          last_seen_at: expect.any(String),
        },
      ],
    })
  })

  test('a heartbeat keeps the seat and tells the version', async () => {
    const { post, activated, unseenFor } = await customer()
    const instance_id = await activated('pbx1')
    await unseenFor(instance_id, 29 * DAY)
    const { status, json } = await post('heartbeat', { instance_id, version: '2.0' })
    expect(status).toBe(200)
    expect(json.data).toMatchObject({ instance_id, hostname: 'pbx1', version: '2.0' })
    expect(Date.now() - Date.parse(json.data.last_seen_at)).toBeLessThan(DAY)
  })

  test('a seat is given back, by itself or by force, and only once', async () => {
    const { post, activated, hostnames, audit } = await customer()
    const [one, two] = [await activated('pbx1'), await activated('pbx2')]
    const ended = await post('deactivate', { instance_id: one })
    expect(ended.json.data).toMatchObject({ instance_id: one, deactivated_why: 'released' })
    expect((await post('deactivate', { instance_id: one, force: true })).json).toEqual(ended.json)
    expect(await hostnames()).toEqual(['pbx2'])
    const forced = await post('deactivate', { instance_id: two }, { 'x-instance-id': one })
    expect(forced.json.data).toMatchObject({ instance_id: two, deactivated_why: 'forced' })
    const three = await activated('pbx3')
    await post('deactivate', { instance_id: three, force: true })
    expect((await audit()).slice(1)).toEqual([
      ['activated', one, undefined],
      ['activated', two, undefined],
      ['deactivated', one, 'released'],
      ['deactivated', two, 'forced'],
      ['activated', three, undefined],
      ['deactivated', three, 'forced'],
    ])
    const beat = await post('heartbeat', { instance_id: one })
    expect(beat.status).toBe(403)
    const today = new Date().toISOString().slice(0, 10)
    expect(beat.json).toMatchObject({
      data: null,
      error: `this installation was deactivated on ${today}: activate it again`,
      code: 'INSTALLATION_DEACTIVATED',
    })
  })

  test('a seat moves to another machine when all are taken', async () => {
    const { post, activated, hostnames } = await customer()
    const [old] = [await activated('old'), await activated('other')]
    const moved = await post('transfer', { instance_id: old, hostname: 'new', version: '2.0' })
    expect(moved.status).toBe(200)
    expect(moved.json.data).toMatchObject({ hostname: 'new', version: '2.0' })
    expect(moved.json.data.instance_id).not.toBe(old)
    expect((await hostnames()).sort()).toEqual(['new', 'other'])
    const again = await post('transfer', { instance_id: old, hostname: 'new', version: '2.0' })
    expect(again.json.data.instance_id).toBe(moved.json.data.instance_id)
  })

  test('what is another licence’s is unknown', async () => {
    const [mine, theirs] = [await customer(), await customer()]
    const foreign = await theirs.activated('pbx1')
    for (const instance_id of [foreign, randomUUID()]) {
      for (const [path, more] of [
        ['heartbeat', {}],
        ['deactivate', { force: true }],
        ['transfer', { hostname: 'mine' }],
      ] as const) {
        const { status, json } = await mine.post(path, { instance_id, ...more })
        expect(status).toBe(404)
        expect(json).toMatchObject({
          data: null,
          error: 'this licence has no such installation: activate it first',
          code: 'INSTALLATION_NOT_FOUND',
        })
      }
    }
    expect(await theirs.hostnames()).toEqual(['pbx1'])
  })

  test('a key that is no good is refused as everywhere', async () => {
    const { post, activated, licenseId } = await customer()
    const instance_id = await activated('pbx1')
    const wrong = await gateway.request('POST', '/v1/license/heartbeat', {
      body: { license_key: 'nobody', instance_id },
    })
    expect(wrong.status).toBe(403)
    expect(wrong.json).toMatchObject({ error: 'invalid or expired license key', code: 'NOT_FOUND' })
    await gateway.context.db('licenses').where({ id: licenseId }).update({ revoked_at: new Date() })
    await until(async () => (await post('heartbeat', { instance_id })).json.code === 'REVOKED', {
      description: 'the licence is revoked here',
    })
    expect((await gateway.request('GET', '/v1/license/installations')).json).toMatchObject({
      error: 'license_key is required',
      code: 'license_key_required',
      field: 'license_key',
    })
  })

  describe('a push counts as a heartbeat', () => {
    test('of the installation that it names, or of all that never did', async () => {
      const { licenseKey, activated, unseenFor, seenAt } = await customer()
      const [named, silent] = [await activated('named'), await activated('silent')]
      const [since, push] = [Date.now(), gateway.push]
      for (const id of [named, silent]) await unseenFor(id, 2 * DAY)
      await push({ license_key: licenseKey }, { headers: { 'x-instance-id': named.toUpperCase() } })
      await until(async () => (await seenAt(named)) >= since, { description: 'the named one is seen' })
      expect(await seenAt(silent)).toBeLessThan(since)
      await push({ license_key: licenseKey })
      await until(async () => (await seenAt(silent)) >= since, { description: 'the silent one is seen' })
    })

    test('looking after the seats does not', async () => {
      const { activated, unseenFor, seenAt, list, post } = await customer()
      const [one, two] = [await activated('one'), await activated('two')]
      await unseenFor(one, 2 * DAY)
      await list()
      await post('deactivate', { instance_id: two })
      await gateway.context.sightings.close()
      expect(await seenAt(one)).toBeLessThan(Date.now() - DAY)
    })

    test('an instance id that is none is refused, one that is nobody’s is not: it may not cost a call', async () => {
      const bad = await gateway.push({}, { headers: { 'x-instance-id': 'pbx1' } })
      expect(bad.status).toBe(400)
      expect(bad.json).toMatchObject({
        error: 'X-Instance-Id must be the instance_id of an activation, a UUID',
        code: 'invalid_request',
        field: 'X-Instance-Id',
      })
      const unknown = await gateway.push({}, { headers: { 'x-instance-id': randomUUID() } })
      expect(unknown.status).toBe(200)
    })
  })

  describe('bad input', () => {
    const HOSTNAME = 'hostname must have 1 to 255 visible characters'
    const FINGERPRINT = 'fingerprint must have 8 to 256 of A-Z, a-z, 0-9, ".", "_", ":" and "-"'
    const VERSION = 'version must have at most 64 visible characters'
    const NONCE = 'nonce must have 8 to 128 of A-Z, a-z, 0-9, "_" and "-"'
    const EXTENSIONS = 'extensions must be a whole number from 0 to 1000000'
    const NEEDS = 'entitlements must be a list of calls, messages, webhooks, offline'
    const BODY = 'invalid request body'
    const cases: [string, Record<string, unknown>, string, string][] = [
      ['activate', { hostname: 'x'.repeat(256) }, HOSTNAME, 'hostname'],
      ['activate', { hostname: 'two words' }, HOSTNAME, 'hostname'],
      ['activate', { hostname: 'a\0b' }, HOSTNAME, 'hostname'],
      ['activate', { hostname: 'a\ud800' }, HOSTNAME, 'hostname'],
      ['activate', { hostname: 5 }, BODY, 'hostname'],
      ['activate', { hostname: null }, 'hostname is required', 'hostname'],
      ['activate', { hostname: 'a', version: 'x'.repeat(65) }, VERSION, 'version'],
      ['activate', { hostname: 'a', version: '1\n2' }, VERSION, 'version'],
      ['activate', { hostname: 'a', version: 1 }, BODY, 'version'],
      ['activate', { hostname: 'a', fingerprint: 'short' }, FINGERPRINT, 'fingerprint'],
      ['activate', { hostname: 'a', fingerprint: 'x'.repeat(257) }, FINGERPRINT, 'fingerprint'],
      ['activate', { hostname: 'a', fingerprint: 'with spaces' }, FINGERPRINT, 'fingerprint'],
      ['activate', { hostname: 'a', fingerprint: 12345678 }, BODY, 'fingerprint'],
      ['activate', { hostname: 'a', nonce: 'short' }, NONCE, 'nonce'],
      ['activate', { hostname: 'a', colour: 'red' }, BODY, 'colour'],
      ['validate', { extensions: -1 }, EXTENSIONS, 'extensions'],
      ['validate', { extensions: 1.5 }, EXTENSIONS, 'extensions'],
      ['validate', { extensions: '5' }, EXTENSIONS, 'extensions'],
      ['validate', { extensions: 1_000_001 }, EXTENSIONS, 'extensions'],
      ['validate', { entitlements: 'calls' }, NEEDS, 'entitlements'],
      ['validate', { entitlements: ['flying'] }, NEEDS, 'entitlements.0'],
      ['validate', { entitlements: Array(5).fill('calls') }, NEEDS, 'entitlements'],
      ['validate', { instance_id: 'pbx1' }, 'instance_id must be a UUID', 'instance_id'],
      ['validate', { fingerprint: '' }, FINGERPRINT, 'fingerprint'],
      ['validate', { hostname: '' }, 'hostname is required', 'hostname'],
      ['validate', { nonce: 'ä'.repeat(10) }, NONCE, 'nonce'],
      [
        'validate',
        { license_key: 'x'.repeat(257) },
        'license_key must have at most 256 characters',
        'license_key',
      ],
      ['heartbeat', {}, 'instance_id is required', 'instance_id'],
      ['heartbeat', { instance_id: '' }, 'instance_id is required', 'instance_id'],
      ['heartbeat', { instance_id: 5 }, BODY, 'instance_id'],
      ['heartbeat', { instance_id: 'pbx1' }, 'instance_id must be a UUID', 'instance_id'],
      ['deactivate', { instance_id: randomUUID(), force: 'yes' }, 'force must be true or false', 'force'],
      ['transfer', { instance_id: randomUUID() }, 'hostname is required', 'hostname'],
    ]
    test.each(cases)('%s %j', async (path, body, error, field) => {
      const { status, json } = await gateway.request('POST', `/v1/license/${path}`, {
        body: { license_key: gateway.tenant.licenseKey, ...body },
      })
      expect(status).toBe(400)
      expect(json).toMatchObject({ data: null, error, code: 'invalid_request', field })
    })

    test('of the status', async () => {
      const status = (query: string, headers: Record<string, string> = {}) =>
        gateway.request('GET', `/v1/license/status${query}`, { headers })
      const long = await status(`?license_key=${'x'.repeat(257)}`)
      expect(long.status).toBe(400)
      expect(long.json).toMatchObject({ code: 'invalid_request', field: 'license_key' })
      const inHeader = await status('', { 'x-license-key': 'x'.repeat(257) })
      expect(inHeader.status).toBe(400)
      expect(inHeader.json).toMatchObject({ code: 'invalid_request', field: 'X-License-Key' })
      const nonce = await status('?license_key=nobody&nonce=short')
      expect(nonce.status).toBe(400)
      expect(nonce.json).toMatchObject({ error: NONCE, code: 'invalid_request', field: 'nonce' })
    })

    const field = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constant(undefined))
    test.each([
      ['validate', ['instance_id', 'fingerprint', 'hostname', 'extensions', 'entitlements', 'nonce']],
      ['activate', ['hostname', 'version', 'fingerprint', 'nonce']],
      ['heartbeat', ['instance_id', 'version']],
      ['deactivate', ['instance_id', 'force']],
      ['transfer', ['instance_id', 'hostname', 'fingerprint', 'version']],
    ])('never answers junk with a 5xx: %s', async (path, names) => {
      const { licenseKey } = await customer()
      const key = fc.oneof(fc.constant(licenseKey), field)
      const good = { instance_id: randomUUID(), hostname: 'pbx1', fingerprint: 'fingerprint-1', version: '1' }
      const value = (name: string) => fc.oneof(field, fc.constant((good as Record<string, string>)[name]))
      const junk = fc.record({
        license_key: key,
        ...Object.fromEntries(names.map((name) => [name, value(name)])),
      })
      await fc.assert(
        fc.asyncProperty(fc.oneof({ weight: 4, arbitrary: junk }, fc.jsonValue()), async (body) => {
          const { status, json } = await gateway.request('POST', `/v1/license/${path}`, {
            body: JSON.stringify(body) ?? '',
          })
          expect(json).toHaveProperty('data')
          expect(status).toBeLessThan(500)
          if (status !== 200)
            expect(json).toMatchObject({ error: expect.any(String), code: expect.any(String) })
        }),
        { numRuns: 200 },
      )
    })

    test('never answers junk with a 5xx: status', async () => {
      const text = fc.oneof(fc.constant(gateway.tenant.licenseKey), fc.string({ unit: 'grapheme' }))
      await fc.assert(
        fc.asyncProperty(
          fc.dictionary(fc.constantFrom('license_key', 'nonce', 'x', 'license_key[]'), text),
          async (query) => {
            const { status } = await gateway.request(
              'GET',
              `/v1/license/status?${new URLSearchParams(query)}`,
            )
            expect(status).toBeLessThan(500)
          },
        ),
        { numRuns: 200 },
      )
    })
  })
})
