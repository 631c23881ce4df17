import fc from 'fast-check'
import { newId } from '../../src/lib/ids.ts'
import { type AppUser, givenAppUser } from '../support/app-callers.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

/** `GET /api/v1/app/history`, line by line as FlowPBX's app reads it, and what is ours besides. */
let gateway: TestGateway
let ada: AppUser
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false })
  ada = await givenAppUser(gateway, { tenantId: gateway.tenant.tenantId, extension: '100' })
})
afterAll(() => gateway[Symbol.asyncDispose]())

const MINUTE = 60_000
const FIRST = Date.UTC(2026, 10, 1)
const at = (n: number) => new Date(FIRST + n * MINUTE).toISOString()
const report = (body: unknown, pbxKey = gateway.tenant.pbxKey) =>
  gateway.request('POST', '/api/v1/pbx/call-records', {
    body,
    headers: { authorization: `Bearer ${pbxKey}` },
  })
const history = (query = '', user = ada) => user.get(`/api/v1/app/history${query}`)
/** An extension of its own with so many calls, the newest of which is `<prefix>-0`. */
async function givenCalls(count: number, extra: Record<string, unknown> = {}) {
  const user = await givenAppUser(gateway, { tenantId: gateway.tenant.tenantId, extension: `e-${newId()}` })
  const prefix = newId()
  const body = Array.from({ length: count }, (_, n) => ({
    ...{
      call_id: `${prefix}-${n}`,
      start_time: at(count - n),
      callee: user.extension,
      caller_id_num: '0301234567',
    },
    ...extra,
  }))
  if (count > 0) await report(body)
  return { user, prefix, ids: body.map(({ call_id }) => call_id) }
}
const idsOf = (json: { data: { items: { call_id: string }[] } }) =>
  json.data.items.map(({ call_id }) => call_id)

describe('a page of calls as the app reads it', () => {
  test('a call with everything: names, types and values', async () => {
    const { user } = await givenCalls(0)
    await report({
      ...{ call_id: 'full@10.0.0.5', start_time: at(0), answer_time: at(1), end_time: at(2), duration: 120 },
      ...{
        billable_dur: 60,
        caller_id_name: 'Bob',
        caller_id_num: '0301',
        callee: user.extension,
        trunk_id: 7,
      },
      ...{ direction: 'inbound', disposition: 'answered', recording_file: 'r.wav', flow_path: 'ivr>1' },
      hangup_cause: 'NORMAL_CLEARING',
    })
    const { status, json } = await history('', user)
    expect(status).toBe(200)
    expect(json).toEqual({
      data: {
        items: [
          {
            id: expect.any(Number),
            call_id: 'full@10.0.0.5',
            start_time: '2026-11-01T00:00:00Z',
            answer_time: '2026-11-01T00:01:00Z',
            end_time: '2026-11-01T00:02:00Z',
            duration: 120,
            billable_dur: 60,
            caller_id_name: 'Bob',
            caller_id_num: '0301',
            callee: user.extension,
            trunk_id: 7,
            direction: 'inbound',
            disposition: 'answered',
            recording_file: 'r.wav',
            flow_path: 'ivr>1',
            hangup_cause: 'NORMAL_CLEARING',
          },
        ],
        total: 1,
        limit: 20,
        offset: 0,
      },
    })
  })

  test('a call of which little is known: null, empty or absent, as the contract has it', async () => {
    const { user } = await givenCalls(1, { caller_id_num: null })
    const [call] = (await history('', user)).json.data.items
    expect(call).toEqual({
      ...{ id: expect.any(Number), call_id: expect.any(String), start_time: at(1).replace('.000', '') },
      ...{ answer_time: null, end_time: null, duration: null, billable_dur: null, trunk_id: null },
      ...{ caller_id_name: '', caller_id_num: '', callee: user.extension, direction: null },
      ...{ disposition: 'in_progress', hangup_cause: '' },
    })
  })

  test('no call at all is an empty page', async () => {
    const { user } = await givenCalls(0)
    expect((await history('', user)).json.data).toEqual({ items: [], total: 0, limit: 20, offset: 0 })
  })

  test('calls that it made and calls that it got, each once, the newest first', async () => {
    const { user } = await givenCalls(0)
    const calls = [
      { call_id: newId(), start_time: at(1), caller_id_num: user.extension, callee: '200' },
      { call_id: newId(), start_time: at(3), caller_id_num: '200', callee: user.extension },
      { call_id: newId(), start_time: at(2), caller_id_num: user.extension, callee: user.extension },
      { call_id: newId(), start_time: at(4), caller_id_num: '200', callee: '300' },
    ]
    await report(calls)
    const { json } = await history('', user)
    expect(idsOf(json)).toEqual([calls[1]?.call_id, calls[2]?.call_id, calls[0]?.call_id])
    expect(json.data.total).toBe(3)
  })

  test('a call that changes hands changes histories, and so do the totals', async () => {
    const [one, two] = [await givenCalls(0), await givenCalls(0)]
    const call_id = newId()
    await report({ call_id, start_time: at(1), callee: one.user.extension })
    await report({ call_id, callee: two.user.extension })
    expect((await history('', one.user)).json.data).toMatchObject({ items: [], total: 0 })
    expect(idsOf((await history('', two.user)).json)).toEqual([call_id])
  })
})

describe('limit, offset and total', () => {
  let many: Awaited<ReturnType<typeof givenCalls>>
  beforeAll(async () => {
    many = await givenCalls(130)
  })

  test.each<[string, number, number, number]>([
    ['', 20, 0, 20],
    ['?limit=50&offset=0', 50, 0, 50],
    ['?limit=50&offset=100', 50, 100, 30],
    ['?limit=100', 100, 0, 100],
    ['?limit=101', 100, 0, 100],
    ['?limit=100000', 100, 0, 100],
    ['?limit=1&offset=129', 1, 129, 1],
    ['?limit=1&offset=130', 1, 130, 0],
    ['?offset=9007199254740991', 20, Number.MAX_SAFE_INTEGER, 0],
    ['?limit=&offset=', 20, 0, 20],
  ])('%s', async (query, limit, offset, count) => {
    const { status, json } = await history(query, many.user)
    expect(status).toBe(200)
    expect(json.data).toMatchObject({ total: 130, limit, offset })
    expect(idsOf(json)).toEqual(many.ids.slice(offset, offset + count))
  })

  test.each<[string, string, string]>([
    ...['0', '-1', 'x', '1.5', '1e2', '%00', "1'; DROP TABLE call_records; --", '99999999999999999999'].map(
      (value): [string, string, string] => [`?limit=${value}`, 'limit must be a positive integer', 'limit'],
    ),
    ['?limit=1&limit=2', 'limit must be a positive integer', 'limit'],
    ...['-1', 'x', '1.5', ' 1 ', '9007199254740992'].map((value): [string, string, string] => [
      `?offset=${value}`,
      'offset must be a non-negative integer',
      'offset',
    ]),
    ['?cursor=nonsense', 'cursor must be the next_cursor of an earlier answer', 'cursor'],
    [
      `?cursor=${Buffer.from('[1e99,1]').toString('base64url')}`,
      'cursor must be the next_cursor of an earlier answer',
      'cursor',
    ],
    ['?since=yesterday', 'since must be a time like 2026-11-21T10:00:00Z (RFC 3339)', 'since'],
  ])('%s is refused in the words of the contract', async (query, error, field) => {
    const { status, json } = await history(query, many.user)
    expect(status).toBe(400)
    expect(json).toMatchObject({ data: null, error, field, code: 'invalid_request' })
  })

  test('the app’s own way to the end: by offset until it has as many as the total', async () => {
    const seen: string[] = []
    for (;;) {
      const { json } = await history(`?limit=50&offset=${seen.length}`, many.user)
      seen.push(...idsOf(json))
      if (seen.length >= json.data.total) break
    }
    expect(seen).toEqual(many.ids)
  })

  test('by cursor every call comes once, also while new ones come in', async () => {
    const { user, ids } = await givenCalls(45)
    const seen: string[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const { json } = await history(`?limit=20${cursor ? `&cursor=${cursor}` : ''}`, user)
      seen.push(...idsOf(json))
      cursor = json.data.next_cursor
      pages += 1
      expect(json.data).toMatchObject({ total: 44 + pages, offset: 0 })
      await report({ call_id: newId(), start_time: at(1_000 + pages), callee: user.extension })
    } while (cursor !== undefined)
    expect(seen).toEqual(ids)
    expect(pages).toBe(3)
  })

  test('calls of one moment are not lost between two pages', async () => {
    const { user, ids } = await givenCalls(9, { start_time: at(5) })
    const first = (await history('?limit=4', user)).json
    const second = (await history(`?limit=5&cursor=${first.data.next_cursor}`, user)).json
    expect([...idsOf(first), ...idsOf(second)].sort()).toEqual(ids.toSorted())
    expect(second.data.next_cursor).toBeUndefined()
  })

  test('since: only calls from then on, and the total is theirs', async () => {
    const { json } = await history(`?limit=2&since=${at(121)}`, many.user)
    expect(json.data.total).toBe(10)
    expect(idsOf(json)).toEqual(many.ids.slice(0, 2))
    const next = await history(`?since=${at(121)}&cursor=${json.data.next_cursor}`, many.user)
    expect(idsOf(next.json)).toEqual(many.ids.slice(2, 10))
    expect(next.json.data.next_cursor).toBeUndefined()
  })

  test('a cursor and an offset exclude each other', async () => {
    const { json } = await history('?limit=2', many.user)
    const both = await history(`?offset=1&cursor=${json.data.next_cursor}`, many.user)
    expect(both.json).toMatchObject({ error: 'give a cursor or an offset, not both', field: 'offset' })
  })
})

test('twins: nobody sees a call of the same extension of another tenant, by whatever query', async () => {
  const other = await gateway.otherTenant()
  const extension = `twin-${newId()}`
  const [mine, theirs] = [
    await givenAppUser(gateway, { tenantId: gateway.tenant.tenantId, extension }),
    await givenAppUser(gateway, { tenantId: other.tenantId, extension }),
  ]
  const calls = (name: string) =>
    Array.from({ length: 30 }, (_, n) => ({ call_id: `${name}-${n}`, start_time: at(n), callee: extension }))
  await report(calls('mine'))
  await report([...calls('theirs'), ...calls('mine').slice(0, 3)], other.pbxKey)
  const cursor = (await history('?limit=5', theirs)).json.data.next_cursor
  for (const query of ['', '?limit=100', '?offset=25', `?since=${at(0)}`, `?cursor=${cursor}`]) {
    const ids = idsOf((await history(query, mine)).json)
    expect(ids.length).toBeGreaterThan(0)
    expect(ids.filter((id) => !id.startsWith('mine-'))).toEqual([])
  }
  expect((await history('', mine)).json.data.total).toBe(30)
  expect((await history('', theirs)).json.data.total).toBe(33)
})

test('nothing in a query breaks it: it is answered with a page or with 400', async () => {
  const name = fc.constantFrom('limit', 'offset', 'cursor', 'since')
  const noise = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom("' OR 1=1 --", '??', '$1', '[]'),
  )
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, noise), async (query) => {
      const well = Object.entries(query).map(([key, value]) => [key, value.toWellFormed()])
      const { status } = await history(`?${new URLSearchParams(Object.fromEntries(well))}`)
      expect([200, 400]).toContain(status)
    }),
    { numRuns: 100 },
  )
})

test('who is not logged in is told so, and a PBX key is no login', async () => {
  const anonymous = await gateway.request('GET', '/api/v1/app/history')
  expect(anonymous).toMatchObject({ status: 401, json: { error: 'authentication required' } })
  const pbx = await gateway.request('GET', '/api/v1/app/history', {
    headers: { authorization: `Bearer ${gateway.tenant.pbxKey}` },
  })
  expect(pbx).toMatchObject({ status: 401, json: { error: 'invalid or expired token' } })
})
