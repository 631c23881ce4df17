import { newId } from '../../src/lib/ids.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { callPush, endOf, SECRETS } from '../support/logged-pushes.ts'
import { givenOperator } from '../support/operators.ts'

let gateway: TestGateway
let cookie: string
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false })
  cookie = (await givenOperator(gateway, 'viewer')).cookie
})
afterAll(() => gateway[Symbol.asyncDispose]())

const ask = (path: string, headers: Record<string, string> = { cookie }) =>
  gateway.request('GET', `/api/v1/operator/pushes${path}`, { headers })
const search = (query: Record<string, string>) => ask(`?${new URLSearchParams(query)}`)
const idsOf = (answer: { json: { data: { pushes: { id: string }[] } } }) =>
  answer.json.data.pushes.map(({ id }) => id)

const NOW = Date.now()
/** Three pushes a minute apart, newest first. */
async function givenThree() {
  const callId = `${newId()}@10.0.0.5`
  const pushes = [0, 1, 2].map((minutes) =>
    callPush({
      extension: String(100 + minutes),
      content: { callId, callUuid: newId(), callerId: SECRETS.callerId },
      acceptedAt: NOW - minutes * 60_000,
      expiresAt: NOW + 30_000,
    }),
  )
  const states = ['delivered', 'token_dead', 'failed'] as const
  await gateway.context.pushLogStore.close(
    pushes.map((push, i) => ({
      push,
      result: endOf(push.id, states[i] ?? 'failed', { providerStatus: 200 + i }),
    })),
  )
  return { callId, pushes, ids: pushes.map(({ id }) => id) }
}

test('an operator of any role finds pushes, page by page, and reads no secret', async () => {
  const { callId, ids } = await givenThree()
  const first = await search({ call_id: callId, limit: '2' })
  expect(first.status).toBe(200)
  expect(first.json.data.pushes[0]).toMatchObject({
    id: ids[0],
    call_id: callId,
    extension: '100',
    kind: 'call',
    state: 'delivered',
    token_state: 'valid',
    provider_status: 200,
    accepted_at: new Date(NOW).toISOString(),
  })
  const second = await search({ call_id: callId, limit: '2', cursor: first.json.data.next_cursor })
  expect([...idsOf(first), ...idsOf(second)]).toEqual(ids)
  expect(second.json.data).not.toHaveProperty('next_cursor')
  for (const secret of Object.values(SECRETS)) expect(first.text).not.toContain(secret)
})

test('without a session nobody learns anything', async () => {
  for (const path of ['', `/${newId()}`, '?limit=none']) {
    const answer = await ask(path, {})
    expect(answer.status).toBe(401)
    expect(answer.json.code).toBe('unauthorized')
  }
})

test('every filter narrows the search, alone and with others', async () => {
  const { callId, pushes, ids } = await givenThree()
  const [one, two] = pushes
  const at = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString()
  const cases: [Record<string, string>, (string | undefined)[]][] = [
    [{}, ids],
    [{ extension: '101' }, [ids[1]]],
    [{ tenant_id: one?.tenantId ?? '' }, [ids[0]]],
    [{ tenant_id: one?.tenantId ?? '', extension: '101' }, []],
    [{ state: 'failed' }, [ids[2]]],
    [{ kind: 'call' }, ids],
    [{ kind: 'badge' }, []],
    [{ token_hash: two?.tokenHash ?? '' }, ids],
    [{ token_hash: '00'.repeat(32) }, []],
    [{ license_id: newId() }, []],
    [{ from: at(1) }, ids.slice(0, 2)],
    [{ to: at(1) }, ids.slice(2)],
    [{ from: at(1), to: at(0) }, [ids[1]]],
    [{ from: at(1).replace('Z', '+00:00') }, ids.slice(0, 2)],
  ]
  for (const [query, expected] of cases) {
    const answer = await search({ call_id: callId, ...query })
    expect([query, idsOf(answer)]).toEqual([query, expected])
  }
})

test('the pushes of a licence are found, and those that its tenant sent without it are not', async () => {
  const { context, tenant } = gateway
  const [license] = await context.db('licenses').where({ tenant_id: tenant.tenantId })
  const own = callPush({ tenantId: tenant.tenantId, licenseId: license.id, acceptedAt: NOW })
  const others = callPush({ tenantId: tenant.tenantId, acceptedAt: NOW })
  await context.pushLogStore.open([own, others])
  expect(idsOf(await search({ license_id: license.id }))).toEqual([own.id])
  expect(idsOf(await search({ tenant_id: tenant.tenantId })).sort()).toEqual([own.id, others.id].sort())
})

test('a push is shown with every try that was not accepted', async () => {
  const { pushes, ids } = await givenThree()
  const [push] = pushes
  const attempt = {
    number: 1,
    environment: 'production',
    sentAt: NOW,
    answeredAt: NOW + 5,
    outcome: 'retry',
    class: 'transient',
    status: 503,
    reason: 'ServiceUnavailable',
  } as const
  if (push) await gateway.context.pushLogStore.addAttempts([{ push, attempt }])
  const answer = await ask(`/${ids[0]}`)
  expect(answer.status).toBe(200)
  expect(answer.json.data.push).toMatchObject({ id: ids[0], state: 'delivered' })
  expect(answer.json.data.failed_attempts).toEqual([
    {
      number: 1,
      environment: 'production',
      outcome: 'retry',
      class: 'transient',
      provider_status: 503,
      reason: 'ServiceUnavailable',
      sent_at: new Date(NOW).toISOString(),
      answered_at: new Date(NOW + 5).toISOString(),
    },
  ])
  expect((await ask(`/${ids[1]}`)).json.data.failed_attempts).toEqual([])
})

test('a push that is not there is said to be unknown', async () => {
  const answer = await ask(`/${newId()}`)
  expect([answer.status, answer.json.code]).toEqual([404, 'unknown_push'])
})

const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
test.each([
  ['limit', '0'],
  ['limit', '201'],
  ['limit', '1.5'],
  ['limit', 'many'],
  ['tenant_id', 'nobody'],
  ['license_id', ''],
  ['state', 'ringing'],
  ['kind', 'fax'],
  ['token_hash', 'AB'.repeat(32)],
  ['call_id', ''],
  ['call_id', 'a\0b'],
  ['extension', 'x'.repeat(65)],
  ['from', 'yesterday'],
  ['to', '2026-02-30T00:00:00Z'],
  ['push_token', 'secret'],
  ['cursor', 'nonsense'],
  ['cursor', ''],
  ['cursor', cursor([NOW])],
  ['cursor', cursor([8.64e15, newId()])],
  ['cursor', cursor([NOW, 'no id'])],
  ['cursor', cursor({ acceptedAt: NOW, id: newId() })],
])('%s=%j is refused and named', async (name, value) => {
  const answer = await search({ [name]: value })
  expect(answer.status).toBe(400)
  expect(answer.json).toMatchObject({ code: 'invalid_request', field: name })
})

test('the same filter twice, and an id that is none, are refused', async () => {
  expect((await ask('?extension=1&extension=2')).json).toMatchObject({
    code: 'invalid_request',
    field: 'extension',
  })
  expect((await ask('/x')).json).toMatchObject({ code: 'invalid_request', field: 'id' })
})

test('times at the edges of the calendar find nothing and break nothing', async () => {
  for (const from of ['9999-12-31T23:59:59Z', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00+23:59']) {
    const answer = await search({ from, extension: 'nobody', cursor: cursor([8.64e15 - 1, newId()]) })
    expect([from, answer.status]).toEqual([from, 200])
  }
})

test('a search that takes too long ends with a hint, and the next one is served', async () => {
  const blocker = await gateway.context.db.transaction()
  await blocker.raw('LOCK TABLE push_logs IN ACCESS EXCLUSIVE MODE')
  const begin = performance.now()
  const answer = await search({ kind: 'badge' })
  const took = performance.now() - begin
  await blocker.rollback()
  // Before the connection's own limit of 5 s would have ended it.
  expect(took).toBeLessThan(4_900)
  expect(answer.status).toBe(400)
  expect(answer.json).toMatchObject({
    code: 'search_too_long',
    error: 'the search took longer than 3 s: narrow it with from and to',
  })
  expect((await search({ kind: 'badge' })).status).toBe(200)
})
