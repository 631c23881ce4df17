import { givenAppUser } from '../support/app-callers.ts'
import { appOf, givenExtension, logIn } from '../support/app-login.ts'
import { cloneDatabase } from '../support/databases.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

describe('GET and PUT /api/v1/app/me', () => {
  let gateway: TestGateway
  let me: ReturnType<typeof appOf>
  beforeAll(async () => {
    gateway = await startTestGateway({ backend: 'postgres', workers: false, env: { RATE_LIMITS: 'off' } })
    await givenExtension(gateway, '1001')
    me = appOf(gateway, (await logIn(gateway, '1001')).json.data.token)
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  const put = (body: unknown) => me('PUT', '/me', body)

  test('the profile has each key in its type', async () => {
    const { status, json } = await me('GET', '/me')
    expect(status).toBe(200)
    expect(json).toEqual({
      data: {
        id: expect.any(Number),
        extension: '1001',
        name: 'Ada',
        email: '',
        dnd: false,
        follow_me_enabled: false,
        follow_me_numbers: [],
        follow_me_destinations: [],
        follow_me_strategy: 'sequential',
        follow_me_confirm: false,
        updated_at: expect.stringMatching(TIME),
      },
    })
  })

  test('the app sends one field, and gets all of them back', async () => {
    expect((await put({ dnd: true })).json.data).toMatchObject({ dnd: true, follow_me_enabled: false })
    expect((await put({ follow_me_enabled: true })).json.data).toMatchObject({
      dnd: true,
      follow_me_enabled: true,
    })
    expect((await put({ dnd: false })).json.data).toMatchObject({ dnd: false, follow_me_enabled: true })
    expect((await me('GET', '/me')).json.data).toMatchObject({ dnd: false, follow_me_enabled: true })
  })

  test('numbers are strings for the app, and destinations with their times beside', async () => {
    const { json } = await put({
      follow_me_destinations: [{ number: '+49301234567', delay: 5, timeout: 30 }, { number: '1002' }],
      follow_me_strategy: 'simultaneous',
      follow_me_confirm: true,
    })
    const expected = {
      follow_me_numbers: ['+49301234567', '1002'],
      follow_me_destinations: [
        { number: '+49301234567', delay: 5, timeout: 30 },
        { number: '1002', delay: 0, timeout: 20 },
      ],
      follow_me_strategy: 'simultaneous',
      follow_me_confirm: true,
    }
    expect(json.data).toMatchObject(expected)
    expect((await me('GET', '/me')).json.data).toMatchObject(expected)

    const numbers = await put({ follow_me_numbers: ['1003'] })
    expect(numbers.json.data).toMatchObject({
      follow_me_numbers: ['1003'],
      follow_me_destinations: [{ number: '1003', delay: 0, timeout: 20 }],
      follow_me_strategy: 'simultaneous',
    })
    expect((await put({ follow_me_numbers: [] })).json.data.follow_me_numbers).toEqual([])
  })

  test.each([
    ['nothing', {}, 'at least one field must be provided', undefined],
    ['null', 'null', 'at least one field must be provided', undefined],
    ['an empty body', '', 'request body must not be empty', undefined],
    ['dnd as text', { dnd: 'true' }, 'invalid value for field dnd', 'dnd'],
    ['dnd as a number', { dnd: 1 }, 'invalid value for field dnd', 'dnd'],
    [
      'another strategy',
      { follow_me_strategy: 'ring_all' },
      'invalid value for field follow_me_strategy',
      'follow_me_strategy',
    ],
    [
      'numbers as objects',
      { follow_me_numbers: [{ number: '1' }] },
      'invalid value for field follow_me_numbers.0',
      'follow_me_numbers.0',
    ],
    [
      'numbers that are empty',
      { follow_me_numbers: [''] },
      'a number must not be empty',
      'follow_me_numbers.0',
    ],
    [
      'numbers with NUL',
      { follow_me_numbers: ['1\0'] },
      'a number contains invalid characters',
      'follow_me_numbers.0',
    ],
    [
      'too many numbers',
      { follow_me_numbers: Array(21).fill('1') },
      'there can be at most 20 numbers',
      'follow_me_numbers',
    ],
    [
      'a negative delay',
      { follow_me_destinations: [{ number: '1', delay: -1 }] },
      'must be from 0 to 300 seconds',
      'follow_me_destinations.0.delay',
    ],
    [
      'no ringing at all',
      { follow_me_destinations: [{ number: '1', timeout: 0 }] },
      'must be from 1 to 300 seconds',
      'follow_me_destinations.0.timeout',
    ],
    [
      'both kinds of numbers',
      { follow_me_numbers: ['1'], follow_me_destinations: [{ number: '1' }] },
      'follow_me_numbers and follow_me_destinations exclude each other',
      'follow_me_destinations',
    ],
    ['a name', { name: 'Eve' }, 'unknown field "name"', 'name'],
    ['a tenant', { dnd: true, tenant_id: 'x' }, 'unknown field "tenant_id"', 'tenant_id'],
    ['a prototype', '{"dnd":true,"__proto__":{"dnd":true}}', 'unknown field "__proto__"', '__proto__'],
  ])('%s is refused', async (_what, body, error, field) => {
    const before = (await me('GET', '/me')).json.data
    const { status, json } = await put(body)
    expect({ status, error: json.error, field: json.field }).toEqual({ status: 400, error, field })
    expect((await me('GET', '/me')).json.data).toEqual(before)
  })

  test('nobody else is changed: neither a colleague nor the same extension elsewhere', async () => {
    const other = await gateway.otherTenant()
    const colleague = await givenAppUser(gateway, { tenantId: gateway.tenant.tenantId, extension: '1002' })
    const twin = await givenAppUser(gateway, { tenantId: other.tenantId, extension: '1001' })
    await put({ dnd: true, follow_me_numbers: ['99'] })
    for (const { get, extension } of [colleague, twin]) {
      const { json } = await get('/api/v1/app/me')
      expect(json.data).toMatchObject({ extension, dnd: false, follow_me_numbers: [] })
    }
    await put({ dnd: false })
  })

  test('POST is none of it', async () => {
    const { status, headers } = await me('POST', '/me', { dnd: true })
    expect([status, headers.get('allow')]).toEqual([405, 'GET, PUT'])
  })
})

test.each(BACKENDS)('do-not-disturb set in the app is heeded by the next call on %s', async (backend) => {
  await using gateway = await startTestGateway({ backend })
  await gateway.givenSilentPhones(['1001'])
  await givenExtension(gateway, '1001')
  const me = appOf(gateway, (await logIn(gateway, '1001')).json.data.token)
  const pushesOf = async () => (await gateway.call('1001', { wait: 1 })).json.data.pushes
  expect(await pushesOf()).toHaveLength(1)
  await me('PUT', '/me', { dnd: true })
  const silent = await gateway.call('1001')
  expect(silent.json.data).toMatchObject({ outcome: 'dnd', pushes: [] })
  await me('PUT', '/me', { dnd: false })
  expect(await pushesOf()).toHaveLength(1)
})

test('with the database away a call goes on from memory, but not to who has asked for silence', async () => {
  await using database = await cloneDatabase()
  await using gateway = await startTestGateway({ backend: 'redis', databaseUrl: database.url })
  await gateway.givenSilentPhones(['1001', '1002'])
  for (const extension of ['1001', '1002']) await gateway.call(extension, { wait: 0 })
  await givenExtension(gateway, '1001')
  const me = appOf(gateway, (await logIn(gateway, '1001')).json.data.token)
  await me('PUT', '/me', { dnd: true })
  await database.drop()
  const others = await gateway.call('1002', { wait: 1 })
  expect(others.json.data.pushes).toHaveLength(1)
  const silent = await gateway.call('1001', { wait: 1 })
  expect([silent.status, silent.json.code]).toEqual([503, 'store_unavailable'])
})
