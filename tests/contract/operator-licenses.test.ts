import { createPublicKey } from 'node:crypto'
import type { z } from 'zod'
import { apiRoutes } from '../../src/api.ts'
import { ROLES, type Role } from '../../src/http/operator-roles.ts'
import { newId } from '../../src/lib/ids.ts'
import { DAY } from '../../src/lib/units.ts'
import { verifyLicenseFile } from '../../src/license/license-file.ts'
import { type Answer, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator } from '../support/operators.ts'

const PATH = '/api/v1/operator/licenses'
type Caller = Role | 'nobody'
const CALLERS: readonly Caller[] = ['nobody', ...ROLES]

let gateway: TestGateway
const cookies: Partial<Record<Caller, string>> = {}
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false })
  for (const role of ROLES) cookies[role] = (await givenOperator(gateway, role)).cookie
})
afterAll(() => gateway[Symbol.asyncDispose]())

const ask = (
  method: string,
  path: string,
  { as = 'admin', body, headers }: { as?: Caller; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> => {
  const cookie = cookies[as]
  return gateway.request(method, PATH + path, {
    ...(body !== undefined && { body }),
    headers: { ...(cookie !== undefined && { cookie }), ...headers },
  })
}

/** A licence with one machine on it. */
async function givenLicense(terms: object = {}) {
  const { manageLicenses, installations } = gateway.context
  const wanted = { tenantName: `tenant ${newId()}`, withPbxKey: false, tier: 'standard', ...terms } as const
  const { license, key } = await manageLicenses.create(wanted, 'shell')
  const seat = await installations.activate({
    license,
    hostname: 'pbx1',
    fingerprint: 'fingerprint-of-pbx1',
    version: '1.0',
    actor: 'pbx',
  })
  return { license, key, seat }
}
type Given = Awaited<ReturnType<typeof givenLicense>>
const eventsOf = (id: string) => gateway.context.licenseRecords.events.list(id, 100)

/** What confirms what cannot be undone. */
const prefixOf = (key: string) => key.slice(0, 'WL-7XK2MA'.length)

interface Line {
  route: string
  least: Role
  status?: number
  path(given: Given): string
  body?(given: Given): unknown
}
const of =
  (suffix: string) =>
  ({ license }: Given) =>
    `/${license.id}${suffix}`
const MATRIX: readonly Line[] = [
  { route: 'get ', least: 'viewer', path: () => '' },
  { route: 'get /{id}', least: 'viewer', path: of('') },
  { route: 'get /{id}/events', least: 'viewer', path: of('/events') },
  { route: 'post /{id}/suspend', least: 'operator', path: of('/suspend'), body: () => ({ reason: 'x' }) },
  { route: 'post /{id}/reinstate', least: 'operator', path: of('/reinstate'), body: () => ({}) },
  { route: 'post /{id}/renew', least: 'operator', path: of('/renew'), body: () => ({ never: true }) },
  { route: 'post /{id}/export', least: 'operator', path: of('/export'), body: () => ({}) },
  {
    route: 'post /{id}/transfer',
    least: 'operator',
    path: of('/transfer'),
    body: ({ seat, key }) => ({ from: seat.id, hostname: 'pbx2', confirm: prefixOf(key) }),
  },
  {
    route: 'delete /{id}/installations/{instance_id}',
    least: 'operator',
    path: ({ license, seat }) => `/${license.id}/installations/${seat.id}`,
  },
  {
    route: 'post ',
    least: 'admin',
    status: 201,
    path: () => '',
    body: () => ({ tenant_name: 'Acme', pbx_key: true, tier: 'standard' }),
  },
  { route: 'patch /{id}', least: 'admin', path: of(''), body: () => ({ tier: 'professional' }) },
  {
    route: 'post /{id}/revoke',
    least: 'admin',
    path: of('/revoke'),
    body: ({ key }) => ({ reason: 'x', confirm: prefixOf(key) }),
  },
  { route: 'post /{id}/rotate', least: 'admin', path: of('/rotate'), body: () => ({}) },
]
const changing = MATRIX.filter(({ route }) => !route.startsWith('get '))
const requestOf = (line: Line, given: Given) => {
  const [method = ''] = line.route.split(' ')
  return { method: method.toUpperCase(), path: line.path(given), body: line.body?.(given) }
}

describe('roles', () => {
  const routes = () => apiRoutes(gateway.context).filter(({ path }) => path.startsWith(PATH))

  test('every route is in the matrix, once', () => {
    const there = routes().map(({ method, path }) => `${method} ${path.slice(PATH.length)}`)
    expect(MATRIX.map(({ route }) => route).sort()).toEqual(there.sort())
  })

  test.each(MATRIX.flatMap((line) => CALLERS.map((as) => ({ ...line, as }))))(
    '$as: $route',
    async ({ as, ...line }) => {
      const given = await givenLicense()
      const before = await eventsOf(given.license.id)
      const { method, path, body } = requestOf(line, given)
      const answer = await ask(method, path, { as, body })
      if (as !== 'nobody' && ROLES.indexOf(as) >= ROLES.indexOf(line.least)) {
        expect(answer.status).toBe(line.status ?? 200)
        const route = routes().find((each) => `${each.method} ${each.path.slice(PATH.length)}` === line.route)
        // What the document promises, and nothing beside it.
        const schema = route?.replies[0].schema as z.ZodType
        expect(schema.parse(answer.json.data)).toEqual(answer.json.data)
        return
      }
      expect(answer.status).toBe(as === 'nobody' ? 401 : 403)
      expect(answer.json.code).toBe(as === 'nobody' ? 'unauthorized' : 'forbidden')
      expect(await eventsOf(given.license.id)).toEqual(before)
    },
  )

  test('who is not allowed learns nothing of licences, or of what is wrong with the request', async () => {
    for (const id of [newId(), 'no-id']) {
      expect((await ask('POST', `/${id}/revoke`, { as: 'viewer', body: { nonsense: 1 } })).status).toBe(403)
      expect((await ask('POST', `/${id}/revoke`, { as: 'nobody', body: '{' })).status).not.toBe(404)
    }
  })
})

describe('other sites', () => {
  const foreign = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[]

  test.each(changing)('change nothing with the cookie of an admin: $route', async (line) => {
    const given = await givenLicense()
    const before = await eventsOf(given.license.id)
    const { method, path, body } = requestOf(line, given)
    for (const headers of foreign) {
      const answer = await ask(method, path, { body, headers })
      expect([headers, answer.status, answer.json.code]).toEqual([headers, 403, 'cross_origin'])
    }
    expect(await eventsOf(given.license.id)).toEqual(before)
    const own = { origin: gateway.url, 'sec-fetch-site': 'same-origin' }
    expect((await ask(method, path, { body, headers: own })).status).toBe(line.status ?? 200)
  })
})

describe('what is wrong', () => {
  const post = (path: string, body: unknown) => ({ method: 'POST', path, body })
  const create = (change: object) => post('', { tenant_name: 'Acme', tier: 'standard', ...change })
  const patch = (body: unknown) => ({ method: 'PATCH', path: '/ID', body })
  const get = (path: string) => ({ method: 'GET', path, body: undefined })
  const faults: [string, { method: string; path: string; body: unknown }][] = [
    ['id', get('/no-id')],
    ['id', get('/no-id/events')],
    ['id', { method: 'PATCH', path: '/no-id', body: {} }],
    ['id', post('/1/suspend', { reason: 'x' })],
    ['id', post('/1/revoke', { reason: 'x', confirm: 'x' })],
    ...['reinstate', 'rotate', 'export'].map((name) => ['id', post(`/1/${name}`, {})] as never),
    ['id', { method: 'DELETE', path: `/1/installations/${newId()}`, body: undefined }],
    ['instance_id', { method: 'DELETE', path: '/ID/installations/1', body: undefined }],
    ['tenant_id', create({ tenant_name: undefined })],
    ['tenant_id', create({ tenant_id: newId() })],
    ['tenant_id', create({ tenant_name: undefined, tenant_id: 'x' })],
    ['tenant_name', create({ tenant_name: '' })],
    ['tenant_name', create({ tenant_name: 7 })],
    ['tenant_name', create({ tenant_name: 'a\0b' })],
    ['tenant_name', create({ tenant_name: '\u001b[2J' })],
    ['tenant_name', create({ tenant_name: 'x'.repeat(201) })],
    ['tier', create({ tier: 'golden' })],
    ['tier', create({ tier: undefined })],
    ['max_extensions', create({ tier: 'custom', entitlements: ['calls'] })],
    ['entitlements', create({ tier: 'custom', max_extensions: 5 })],
    ['pbx_key', create({ pbx_key: 'yes' })],
    ['pbx_key', create({ tenant_name: undefined, tenant_id: newId(), pbx_key: true })],
    ['password', create({ password: 'x' })],
    ...[0, -1, 1.5, '5', null, 1_000_001, 1e308].map(
      (value) => ['max_extensions', patch({ max_extensions: value })] as never,
    ),
    ...[0, 1.5, '5', 100_001].map(
      (value) => ['max_installations', patch({ max_installations: value })] as never,
    ),
    ...[-1, 1.5, 2_147_483_648].map((value) => ['calls_per_day', patch({ calls_per_day: value })] as never),
    ['messages_per_day', patch({ messages_per_day: 'many' })],
    ['entitlements', patch({ entitlements: 'calls' })],
    ['entitlements.0', patch({ entitlements: ['everything'] })],
    ['tier', patch({ tier: 'custom' })],
    ['notes', patch({ notes: 'a\0b' })],
    ['notes', patch({ notes: 'x'.repeat(4_001) })],
    ...[
      'tomorrow',
      '2027-02-30',
      '2027-13-01',
      '2027-01-01T25:00:00Z',
      '2027-01-01T10:00:00',
      '',
      1_800_000_000,
      '20270101',
    ].flatMap((value) => [
      ['expires_at', patch({ expires_at: value })] as never,
      ['expires_at', create({ expires_at: value })] as never,
      ['until', post('/ID/renew', { until: value })] as never,
    ]),
    ['until', post('/ID/renew', {})],
    ['until', post('/ID/renew', { days: 1, months: 1 })],
    ['until', post('/ID/renew', { until: '2020-01-01' })],
    ['never', post('/ID/renew', { never: false })],
    ...[0, -1, 0.5, '1', 36_501].map((days) => ['days', post('/ID/renew', { days })] as never),
    ['months', post('/ID/renew', { months: 1_201 })],
    ['reason', post('/ID/suspend', {})],
    ['reason', post('/ID/revoke', { reason: ' ', confirm: 'x' })],
    ['reason', post('/ID/revoke', { reason: 'x'.repeat(501), confirm: 'x' })],
    ['confirm', post('/ID/revoke', { reason: 'x' })],
    ['confirm', post('/ID/revoke', { reason: 'x', confirm: 5 })],
    ['confirm', post('/ID/transfer', { from: newId(), hostname: 'pbx2' })],
    ['until', post('/ID/suspend', { reason: 'x', until: '2027-01-01' })],
    ['reason', post('/ID/reinstate', { reason: 'x' })],
    ...[-1, 91, 1.5, '7'].map(
      (days) => ['overlap_days', post('/ID/rotate', { overlap_days: days })] as never,
    ),
    ['from', post('/ID/transfer', { from: 'x', hostname: 'pbx2' })],
    ['hostname', post('/ID/transfer', { from: newId(), hostname: '' })],
    ['hostname', post('/ID/transfer', { from: newId(), hostname: 'a b' })],
    ['fingerprint', post('/ID/transfer', { from: newId(), hostname: 'pbx2', fingerprint: 'short' })],
    ['days', post('/ID/export', { days: 91 })],
    ['fingerprint', post('/ID/export', { fingerprint: 'ü'.repeat(10) })],
    ['limit', get('?limit=0')],
    ['limit', get('?limit=201')],
    ['limit', get('?limit=ten')],
    ['limit', get('/ID/events?limit=1.5')],
    ['cursor', get('?cursor=x')],
    ['cursor', get('/ID/events?cursor=x')],
    ['state', get('?state=dead')],
    ['tenant_id', get('?tenant_id=1')],
    ['text', get('?text=')],
    ['text', get('?text=%00')],
    ['text', get('?text=a&text=b')],
    ['tier', get('?tier=')],
    ['key', get('?key=x')],
  ]

  let id: string
  beforeAll(async () => {
    id = (await givenLicense({ expiresAt: Date.now() + 30 * DAY })).license.id
  })

  test.each(
    faults.map(([field, fault]) => ({ field, ...fault, shown: JSON.stringify(fault.body)?.slice(0, 80) })),
  )('$field: $method $path $shown is refused and named', async ({ field, method, path, body }) => {
    const before = await eventsOf(id)
    const answer = await ask(method, path.replace('ID', id), { body })
    expect([answer.status, answer.json]).toEqual([
      400,
      {
        data: null,
        error: expect.stringMatching(/^[^\n]{5,300}$/),
        code: 'invalid_request',
        field,
        request_id: expect.any(String),
      },
    ])
    expect(await eventsOf(id)).toEqual(before)
  })

  test('a body that is none is refused', async () => {
    for (const body of ['{', '[]', '"x"', 'null', '7']) {
      const answer = await ask('POST', `/${id}/suspend`, { body })
      expect([body, answer.status]).toEqual([body, 400])
    }
  })

  test('a whole key does not go into a URL, and the answer does not say it again', async () => {
    const { key } = await givenLicense()
    for (const text of [key, key.toLowerCase(), key.replaceAll('-', '')]) {
      const answer = await ask('GET', `?${new URLSearchParams({ text })}`)
      expect(answer.json).toMatchObject({ code: 'invalid_request', field: 'text' })
      expect(answer.text.toUpperCase()).not.toContain(key.slice(10))
    }
    expect((await ask('GET', `?text=${key.slice(0, 9)}`)).json.data.licenses).toHaveLength(1)
  })

  test('a licence that is not there, a tenant that is not there, a seat that is not there', async () => {
    const given = await givenLicense()
    const nowhere = { ...given, license: { ...given.license, id: newId() } }
    for (const line of MATRIX.filter(({ route }) => route.includes('{id}'))) {
      const { method, path, body } = requestOf(line, nowhere)
      const answer = await ask(method, path, { body })
      expect([line.route, answer.status]).toEqual([line.route, 404])
    }
    expect((await ask('POST', '', { body: { tenant_id: newId(), tier: 'free' } })).json).toMatchObject({
      code: 'unknown_tenant',
      field: 'tenant_id',
    })
    const stranger = (await givenLicense()).seat.id
    const wrong = await ask('DELETE', `/${given.license.id}/installations/${stranger}`)
    expect(wrong.status).toBe(404)
    expect((await ask('GET', `/${given.license.id}`)).json.data.installations).toHaveLength(1)
  })
})

describe('the life of a licence', () => {
  test('over the API, with who did it', async () => {
    const made = await ask('POST', '', {
      body: { tenant_name: 'Acme', pbx_key: true, tier: 'standard', expires_at: '2099-12-31', notes: 'new' },
    })
    const { license, license_key: key, pbx_key: pbxKey } = made.json.data
    expect(license).toMatchObject({
      state: 'active',
      tier: 'standard',
      expires_at: '2099-12-31T00:00:00.000Z',
    })
    expect([key, pbxKey]).toEqual([expect.stringMatching(/^WL-/), expect.stringMatching(/^wlpbx_/)])
    const does = async (name: string, body: object, as: Role = 'operator') =>
      (await ask('POST', `/${license.id}/${name}`, { as, body })).json

    expect((await does('suspend', { reason: 'open invoice' })).data).toMatchObject({
      license: { state: 'suspended', suspended_at: expect.any(String) },
      changed: true,
    })
    expect((await does('suspend', { reason: 'again' })).data).toMatchObject({ changed: false })
    expect((await does('export', {})).code).toBe('SUSPENDED')
    expect((await does('reinstate', {})).data.license).toMatchObject({ state: 'active', suspended_at: null })
    expect((await does('renew', { months: 12 })).data.license.expires_at).toBe('2100-12-31T00:00:00.000Z')
    const sudden = { overlap_days: 0, confirm: prefixOf(key) }
    const rotated = (await does('rotate', sudden, 'admin')).data
    expect(rotated.license_key).not.toBe(key)
    const patched = await ask('PATCH', `/${license.id}`, { body: { max_installations: null, notes: 'good' } })
    expect(patched.json.data.license).toMatchObject({ tier: 'custom', max_installations: null })
    const end = { reason: 'over', confirm: prefixOf(rotated.license_key) }
    expect((await does('revoke', end, 'admin')).data.license).toMatchObject({
      state: 'revoked',
    })
    for (const [name, body] of [
      ['suspend', { reason: 'x' }],
      ['reinstate', {}],
      ['renew', { never: true }],
      ['rotate', {}],
    ] as const)
      expect([name, (await does(name, body, 'admin')).code]).toEqual([name, 'license_revoked'])

    const { data } = (await ask('GET', `/${license.id}`, { as: 'viewer' })).json
    expect(data.license).toMatchObject({
      state: 'revoked',
      notes: 'good',
      tenant_name: 'Acme',
      active_installations: 0,
    })
    expect(
      data.keys.map((each: { prefix: string; is_good: boolean }) => [each.prefix, each.is_good]),
    ).toEqual([
      [rotated.license_key.slice(0, 9), true],
      [key.slice(0, 9), false],
    ])
    expect(data.usage_today).toEqual({ calls: 0, messages: 0, refused_calls: 0, refused_messages: 0 })
    expect(
      data.events.map((event: { action: string; actor: string }) => [event.action, event.actor]),
    ).toEqual([
      ['revoked', 'operator:admin-ada'],
      ['changed', 'operator:admin-ada'],
      ['key_rotated', 'operator:admin-ada'],
      ['renewed', 'operator:operator-ada'],
      ['reinstated', 'operator:operator-ada'],
      ['suspended', 'operator:operator-ada'],
      ['created', 'operator:admin-ada'],
    ])
    expect(JSON.stringify(data)).not.toMatch(/key_hash|[0-9a-f]{64}/)
    for (const secret of [key, rotated.license_key, pbxKey])
      expect(JSON.stringify(data)).not.toContain(secret)
  })

  test('what cannot be undone is not done without the first letters of the newest key', async () => {
    const { license, seat, key } = await givenLicense()
    const older = prefixOf(key)
    const rotated = await ask('POST', `/${license.id}/rotate`, { body: {} })
    const newest = prefixOf(rotated.json.data.license_key)
    const before = await eventsOf(license.id)
    const sudden: [string, object][] = [
      ['rotate', { overlap_days: 0 }],
      ['transfer', { from: seat.id, hostname: 'pbx2' }],
      ['revoke', { reason: 'x' }],
    ]
    for (const [name, body] of sudden) {
      for (const confirm of ['', 'WL-', older, rotated.json.data.license_key, license.id]) {
        const refused = await ask('POST', `/${license.id}/${name}`, { body: { ...body, confirm } })
        expect([name, confirm, refused.status, refused.json.code, refused.json.field]).toEqual([
          name,
          confirm,
          400,
          'not_confirmed',
          'confirm',
        ])
      }
    }
    const silent = await ask('POST', `/${license.id}/rotate`, { body: { overlap_days: 0 } })
    expect([silent.status, silent.json.code]).toEqual([400, 'not_confirmed'])
    expect(await eventsOf(license.id)).toEqual(before)
    for (const [name, body] of sudden.slice(1)) {
      const done = await ask('POST', `/${license.id}/${name}`, { body: { ...body, confirm: newest } })
      expect([name, done.status]).toEqual([name, 200])
    }
  })

  test('events go page by page', async () => {
    const { license } = await givenLicense()
    for (let i = 0; i < 5; i += 1) await ask('PATCH', `/${license.id}`, { body: { max_extensions: 30 + i } })
    const seen: string[] = []
    let query = '?limit=3'
    for (;;) {
      const { data } = (await ask('GET', `/${license.id}/events${query}`)).json
      seen.push(...data.events.map((event: { id: string }) => event.id))
      if (data.next_cursor === undefined) break
      query = `?limit=3&cursor=${data.next_cursor}`
    }
    expect(seen).toEqual((await eventsOf(license.id)).map((event) => event.id))
    expect(seen).toHaveLength(7)
    const foreign = await givenLicense()
    const [other] = await eventsOf(foreign.license.id)
    expect((await ask('GET', `/${license.id}/events?cursor=${other?.id}`)).json.data.events).toEqual([])
  })

  test('seats move and are freed, and the audit says by whom', async () => {
    const { license, seat, key } = await givenLicense()
    const moved = await ask('POST', `/${license.id}/transfer`, {
      as: 'operator',
      body: {
        ...{ from: seat.id, hostname: 'pbx2', fingerprint: 'fingerprint-of-pbx2' },
        confirm: prefixOf(key),
      },
    })
    expect(moved.json.data.installation).toMatchObject({ hostname: 'pbx2', deactivated_at: null })
    const { instance_id: id } = moved.json.data.installation
    expect((await ask('DELETE', `/${license.id}/installations/${id}`)).json.data.installation).toMatchObject({
      instance_id: id,
      deactivated_at: expect.any(String),
    })
    expect((await ask('GET', `/${license.id}`)).json.data.installations).toEqual([])
    const [forced, transferred] = await eventsOf(license.id)
    expect(forced).toMatchObject({
      action: 'deactivated',
      actor: 'operator:admin-ada',
      details: { why: 'forced' },
    })
    expect(transferred).toMatchObject({ action: 'transferred', actor: 'operator:operator-ada' })
  })

  test('an exported file is good offline, for its machine, and names no more than a prefix', async () => {
    const { license, key } = await givenLicense()
    const before = Date.now()
    const body = { fingerprint: 'fingerprint-of-pbx1', days: 10 }
    const { file, expires_at: end } = (await ask('POST', `/${license.id}/export`, { as: 'operator', body }))
      .json.data
    expect(Date.parse(end) - before - 10 * DAY).toBeLessThan(60_000)
    const publicKey = createPublicKey(gateway.context.licenseSigning.publicKeyPem())
    const verdict = verifyLicenseFile(file, publicKey, { now: Date.now(), fingerprint: body.fingerprint })
    expect(verdict).toMatchObject({ isValid: true, claims: { sub: license.id, key_prefix: key.slice(0, 9) } })
    expect((await eventsOf(license.id))[0]).toMatchObject({
      action: 'exported',
      actor: 'operator:operator-ada',
    })
  })

  test('a file needs a licence that includes it', async () => {
    const { license } = await givenLicense({ tier: 'free' })
    const refused = await ask('POST', `/${license.id}/export`, { body: {} })
    expect([refused.status, refused.json.code]).toEqual([409, 'ENTITLEMENT_MISSING'])
  })

  test('pages of the list do not overlap, and filters hold together', async () => {
    const { license } = await givenLicense()
    const more = { tenantId: license.tenantId, tier: 'free' } as const
    for (let i = 0; i < 4; i += 1) await gateway.context.manageLicenses.create(more, 'shell')
    const seen: string[] = []
    let cursor = ''
    for (;;) {
      const { data } = (
        await ask('GET', `?tenant_id=${license.tenantId}&tier=free&state=active&limit=3${cursor}`)
      ).json
      seen.push(...data.licenses.map((each: { id: string }) => each.id))
      if (data.next_cursor === undefined) break
      cursor = `&cursor=${data.next_cursor}`
    }
    expect(new Set(seen).size).toBe(4)
    expect(seen).toHaveLength(4)
    expect(seen).not.toContain(license.id)
  })
})
