import fc from 'fast-check'
import { createTenant } from '../../src/license/create-tenant.ts'
import { type AppUser, givenAppUser } from '../support/app-callers.ts'
import { apnsToken, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { MULTIPART, multipart, parts } from '../support/voicemail.ts'

/** `/api/v1/pbx/extensions`: a PBX makes, changes, lists and removes what can be called. */
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false, nodes: 2 })
})
afterAll(() => gateway[Symbol.asyncDispose]())

async function customer(tier: 'free' | 'professional' = 'professional') {
  const tenant = await createTenant(gateway.context, { name: 'test', tier })
  const headers = { authorization: `Bearer ${tenant.pbxKey}` }
  const ask = (method: string, path = '', body?: unknown, node = 0) =>
    gateway.request(method, `/api/v1/pbx/extensions${path}`, {
      headers,
      base: gateway.nodes[node]?.url ?? '',
      ...(body !== undefined && { body }),
    })
  const { tenantId } = tenant
  return {
    tenant,
    tenantId,
    ask,
    post: (body: unknown, node = 0) => ask('POST', '', body, node),
    rows: () => gateway.context.db('extensions').where({ tenant_id: tenantId }).orderBy('number'),
    numbers: () =>
      gateway.context.db('extensions').where({ tenant_id: tenantId }).orderBy('id').pluck('number'),
    hashOf: async (number: string) =>
      (await gateway.context.extensions.passwordHashes(tenantId, [number])).get(number),
  }
}
type Result = { number?: string; status: string; code?: string; error?: string; field?: string }
const statuses = (json: { data: { results: Result[] } }) => json.data.results.map(({ status }) => status)

const ADA = {
  ...{ number: '100', name: 'Ada', email: 'ada@example.com', dnd: true, follow_me_enabled: true },
  ...{ follow_me_confirm: true, follow_me_strategy: 'simultaneous' },
  follow_me_destinations: [{ number: '0301234567', delay: 5, timeout: 15 }],
}

describe('many at once', () => {
  test('are made and changed, each judged by itself', async () => {
    const { post, ask, numbers } = await customer()
    const made = await post([
      ADA,
      { number: '200' },
      { number: '' },
      'nonsense',
      { number: '300', dnd: 'yes' },
    ])
    expect(made.status).toBe(200)
    const refused = { status: 'refused', code: 'invalid_request', error: expect.any(String) }
    expect(made.json.data.results).toEqual([
      { number: '100', status: 'created', id: expect.any(Number) },
      { number: '200', status: 'created', id: expect.any(Number) },
      { number: '', ...refused, field: 'number' },
      refused,
      { number: '300', ...refused, field: 'dnd' },
    ])
    expect(await numbers()).toEqual(['100', '200'])
    const again = await post([ADA, { number: '200', name: 'Bob' }, { number: '200', name: 'Bob' }])
    expect(statuses(again.json)).toEqual(['unchanged', 'updated', 'unchanged'])
    expect((await ask('GET', '/100')).json.data).toEqual({
      ...ADA,
      id: made.json.data.results[0].id,
      has_password: false,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    })
    expect((await ask('GET', '/200')).json.data).toMatchObject({
      ...{ name: 'Bob', email: '', dnd: false, follow_me_enabled: false, follow_me_confirm: false },
      ...{ follow_me_strategy: 'sequential', follow_me_destinations: [] },
    })
  })

  test('one that stands alone is a request of its own', async () => {
    const { post } = await customer('free')
    expect(statuses((await post({ number: '1' })).json)).toEqual(['created'])
    expect(await post({ number: 1 })).toMatchObject({ status: 400, json: { data: null, field: 'number' } })
    await post(['2', '3', '4', '5'].map((number) => ({ number })))
    expect(await post({ number: '6' })).toMatchObject({
      status: 403,
      json: { data: null, code: 'TOO_MANY_EXTENSIONS', in_use: 5, max_extensions: 5 },
    })
  })

  test('as many as the licence is for, in their order, and what is there can still be changed', async () => {
    const { post, numbers } = await customer('free')
    await post(['1', '2', '3'].map((number) => ({ number })))
    const { json } = await post(
      ['4', '2', '5', '6', '5', '7'].map((number) => ({ number, name: `n${number}` })),
    )
    expect(statuses(json)).toEqual(['created', 'updated', 'created', 'refused', 'unchanged', 'refused'])
    expect(json.data.results[3]).toEqual({
      number: '6',
      status: 'refused',
      code: 'TOO_MANY_EXTENSIONS',
      error: 'the licence has no room for another extension',
      hint: 'there are 5 extensions, and the licence is for 5: remove one, or have the licence changed',
    })
    expect(await numbers()).toEqual(['1', '2', '3', '4', '5'])
  })

  test('exactly as many, also when many ask at two nodes at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { post, numbers } = await customer('free')
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          post(
            Array.from({ length: 3 }, (_unused, i) => ({ number: `${(n * 7 + i) % 30}`, name: `${n}` })),
            n % 2,
          ),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      const all = answers.flatMap(({ json }) => statuses(json))
      expect(all.filter((status) => status === 'created')).toHaveLength(5)
      expect(await numbers()).toHaveLength(5)
    }
  })

  test('500 are one request, and 501 are none', async () => {
    const { post, tenantId, numbers } = await customer()
    await gateway.context.db('licenses').where({ tenant_id: tenantId }).update({ max_extensions: 1_000 })
    const body = Array.from({ length: 500 }, (_, n) => ({ number: `${n}`, name: 'x'.repeat(200) }))
    expect(new Set(statuses((await post(body)).json))).toEqual(new Set(['created']))
    expect(new Set(statuses((await post(body)).json))).toEqual(new Set(['unchanged']))
    expect((await post([...body, { number: '500' }])).status).toBe(400)
    expect((await post([])).status).toBe(400)
    expect(await numbers()).toHaveLength(500)
  })
})

describe('a password', () => {
  const password = 'correct horse'

  test('is kept as argon2id, told by nobody, and good for a login', async () => {
    const { post, ask, hashOf } = await customer()
    const made = await post([{ number: '100', password }])
    expect(statuses(made.json)).toEqual(['created'])
    const hash = await hashOf('100')
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await gateway.context.passwords.matches(password, hash)).toBe(true)
    const one = await ask('GET', '/100')
    expect(one.json.data.has_password).toBe(true)
    for (const text of [made.text, one.text, (await ask('GET')).text]) {
      expect(text).not.toContain('argon2')
      expect(text).not.toContain(password)
    }
  })

  test('that is new ends the sessions, and only those; the same one again ends none', async () => {
    const { post, ask, tenantId, hashOf } = await customer()
    await post([
      { number: '100', password },
      { number: '200', password },
    ])
    const [ada, bob] = [
      await givenAppUser(gateway, { tenantId, extension: '100' }),
      await givenAppUser(gateway, { tenantId, extension: '200' }),
    ]
    const isIn = async (who: typeof ada) => (await who.get('/api/v1/app/devices')).status === 200
    const before = await hashOf('100')
    expect(statuses((await post([{ number: '100', password }])).json)).toEqual(['unchanged'])
    expect((await ask('PUT', '/100', { password, name: 'Ada' })).status).toBe(200)
    expect([await hashOf('100'), await isIn(ada), await isIn(bob)]).toEqual([before, true, true])
    expect(statuses((await post([{ number: '100', password: 'another one' }])).json)).toEqual(['updated'])
    expect([await isIn(ada), await isIn(bob)]).toEqual([false, true])
    expect((await ask('PUT', '/200', { password: 'another one' })).status).toBe(200)
    expect(await isIn(bob)).toBe(false)
    const [session] = await gateway.context.db('app_sessions').where({ id: ada.sessionId })
    expect(session.revoked_why).toBe('password')
  })

  test.each<[string, string, string]>([
    ['seven characters', '1234567', 'password must have at least 8 characters'],
    ['257', 'x'.repeat(257), 'password must have at most 256 characters'],
    ['a NUL', `12345678\0`, 'must not contain NUL'],
  ])('of %s is refused, and not repeated', async (_, wrong, error) => {
    const { ask, numbers } = await customer()
    const answer = await ask('PUT', '/100', { password: wrong })
    expect(answer).toMatchObject({ status: 400, json: { error, field: 'password' } })
    expect(answer.text).not.toContain(wrong)
    expect(await numbers()).toEqual([])
  })

  test.each(['12345678', 'x'.repeat(256), '  pass  word  '])('may be %j', async (right) => {
    const { ask, hashOf } = await customer()
    expect((await ask('PUT', '/100', { password: right })).status).toBe(200)
    expect(await gateway.context.passwords.matches(right, await hashOf('100'))).toBe(true)
  })
})

describe('reading and removing', () => {
  test('page by page, each once, in the order of the numbers', async () => {
    const { post, ask } = await customer()
    const names = Array.from({ length: 25 }, (_, n) => `${100 + n}`)
    await post(names.toReversed().map((number) => ({ number })))
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const { json } = await ask('GET', `?limit=10${cursor === undefined ? '' : `&cursor=${cursor}`}`)
      seen.push(...json.data.extensions.map(({ number }: { number: string }) => number))
      cursor = json.data.next_cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(names)
  })

  test.each(['limit=0', 'limit=501', 'limit=x', 'limit=1&limit=2', 'cursor=', 'cursor=%27', 'cursor=AA'])(
    'refuses the query %s',
    async (query) => {
      const { ask } = await customer()
      expect(await ask('GET', `?${query}`)).toMatchObject({ status: 400, json: { code: 'invalid_request' } })
    },
  )

  test('with an extension goes all that is its own, and who gets its number next finds nothing of it', async () => {
    const { ask, tenantId, tenant } = await customer()
    const { db } = gateway.context
    const asPbx = (method: string, path: string, body: unknown) =>
      gateway.request(method, `/api/v1/pbx${path}`, {
        body,
        headers: { authorization: `Bearer ${tenant.pbxKey}` },
      })
    const ada = await givenAppUser(gateway, { tenantId, extension: '100' })
    const bob = await givenAppUser(gateway, { tenantId, extension: '200' })
    await ada.post('/api/v1/app/push-token', { token: fcmToken(), platform: 'fcm' })
    await asPbx('PUT', '/voicemail-boxes/own', { extensions: ['100'] })
    await asPbx('PUT', '/voicemail-boxes/shared', { extensions: ['100', '200'] })
    await asPbx('PUT', '/voicemail-boxes/nobody', { extensions: [] })
    for (const box of ['own', 'shared', 'nobody']) {
      const sent = await fetch(`${gateway.url}/api/v1/pbx/voicemail`, {
        method: 'POST',
        headers: { ...MULTIPART, authorization: `Bearer ${tenant.pbxKey}` },
        body: multipart(parts({ box })) as Buffer<ArrayBuffer>,
      })
      expect(sent.status).toBe(201)
    }
    await asPbx('POST', '/registrations', { extension: '100', contact: '<sip:100@10.0.0.5>', expires: 3_600 })
    const call = (call_id: string, caller_id_num: string, callee: string, more = {}) =>
      asPbx('POST', '/call-records', {
        call_id,
        caller_id_num,
        callee,
        start_time: '2026-11-01T10:00:00Z',
        ...more,
      })
    await call('outside', '0301', '100')
    await call('inside', '100', '200')
    await call('theirs', '0301', '200')

    expect((await ask('DELETE', '/100')).json.data).toEqual({ status: 'ok' })
    expect((await ada.get('/api/v1/app/devices')).status).toBe(401)
    const left = async (table: string, where: object = { tenant_id: tenantId }) =>
      (await db(table).where(where)).length
    expect(await left('devices')).toBe(0)
    expect(await left('app_sessions')).toBe(1)
    const boxes = await db('voicemail_boxes').where({ tenant_id: tenantId }).orderBy('number')
    expect(boxes.map(({ number }) => number)).toEqual(['nobody', 'shared'])
    await gateway.context.files.idle()
    expect(await left('stored_files')).toBe(2)
    const records = await db('call_records').where({ tenant_id: tenantId }).orderBy('call_id')
    expect(records.map(({ call_id }) => call_id)).toEqual(['inside', 'theirs'])

    // Also what is still told of his calls is not his successor's.
    await call('inside', '100', '200', {
      start_time: '2026-11-01T09:59:00Z',
      end_time: '2026-11-01T10:05:00Z',
    })
    const eve = await givenAppUser(gateway, { tenantId, extension: '100' })
    const historyOf = async (who: AppUser) => (await who.get('/api/v1/app/history')).json.data
    expect(await historyOf(eve)).toMatchObject({ items: [], total: 0 })
    expect(await historyOf(bob)).toMatchObject({
      total: 2,
      items: [{ call_id: 'theirs' }, { call_id: 'inside' }],
    })
    expect((await eve.get('/api/v1/app/voicemail')).json.data).toEqual([])
    const { json } = await bob.get('/api/v1/app/directory')
    expect(json.data[0]).toMatchObject({ extension: '100', online: false })
    await call('new', '0301', '100')
    expect(await historyOf(eve)).toMatchObject({ items: [{ call_id: 'new' }], total: 1 })
    const sums = await db('call_party_counts')
      .where({ tenant_id: tenantId })
      .whereNot({ calls: 0 })
      .orderBy('party')
    expect(sums.map(({ party, calls }) => [party, Number(calls)])).toEqual([
      ['0301', 2],
      ['100', 1],
      ['200', 2],
    ])
    expect((await ask('DELETE', '/100')).status).toBe(200)
    expect(await ask('DELETE', '/100')).toMatchObject({ status: 404, json: { code: 'unknown_extension' } })
    expect(await ask('GET', '/100')).toMatchObject({ status: 404, json: { error: 'extension not found' } })
  })

  test('twins: the same numbers of another tenant are neither seen, nor changed, nor removed', async () => {
    const [mine, theirs] = [await customer(), await customer()]
    for (const one of [mine, theirs]) await one.post([{ number: '100', name: 'same' }, { number: '200' }])
    await theirs.post({ number: '300' })
    const before = await theirs.rows()
    await mine.post([{ number: '100', name: 'changed', password: 'new password' }, { number: '300' }])
    await mine.ask('PUT', '/200', { dnd: true })
    await mine.ask('DELETE', '/200')
    expect(await theirs.rows()).toEqual(before)
    const ids = (await mine.ask('GET')).json.data.extensions.map(({ id }: { id: number }) => id)
    expect(ids).toHaveLength(2)
    expect(before.filter(({ id }) => ids.includes(id))).toEqual([])
  })
})

test('text that looks like SQL is text', async () => {
  const { post, ask } = await customer()
  const text = fc.string({ minLength: 1, maxLength: 40 }).filter((value) => !/[\0/\\]|^\.+$/.test(value))
  await fc.assert(
    fc.asyncProperty(text, async (noise) => {
      const [number, name] = [`${noise}' OR 1=1 --`, `${noise}'); DROP TABLE extensions; -- ?? ? $1`]
      expect(statuses((await post([{ number, name }])).json)[0]).toBe('created')
      const path = `/${encodeURIComponent(number)}`
      expect((await ask('GET', path)).json.data).toMatchObject({ number, name })
      const cursor = Buffer.from(noise).toString('base64url')
      expect((await ask('GET', `?cursor=${cursor}`)).status).toBe(200)
      expect((await ask('DELETE', path)).status).toBe(200)
    }),
    { numRuns: 40 },
  )
})

test('a phone that the PBX registers is found by the app, and a removed extension rings no more', async () => {
  const { ask, tenantId } = await customer()
  const ada = await givenAppUser(gateway, { tenantId, extension: '100' })
  await ask('PUT', '/100/devices/desk', { tokens: [{ kind: 'apns_voip', token: apnsToken() }] })
  expect((await ada.get('/api/v1/app/devices')).json.data).toMatchObject([
    { device_id: 'desk', current: false },
  ])
  await ask('DELETE', '/100')
  expect(await gateway.context.phones.find(tenantId, '100')).toBeUndefined()
})
