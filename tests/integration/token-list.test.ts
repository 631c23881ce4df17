import { createHash } from 'node:crypto'
import type { TokenVerdict } from '../../src/devices/token-verdict.ts'
import { apnsToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** `GET /v1/tokens/invalid`: how owners who do not listen to webhooks hear of their tokens. */
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'redis', workers: false })
})
afterAll(() => gateway[Symbol.asyncDispose]())
beforeEach(() => gateway.context.db('token_verdicts').del())

const at = (second: number) => Date.UTC(2026, 10, 21, 10, 0, second)
const givenVerdict = async (lastAt: number, change: Partial<TokenVerdict> = {}): Promise<string> => {
  const token = apnsToken()
  const tokenSha256 = createHash('sha256').update(token).digest('hex')
  const verdict: TokenVerdict = {
    ...{ tenantId: gateway.tenant.tenantId, kind: 'apns_voip', environment: 'production' },
    ...{ tokenHash: gateway.context.keyring.tokenHash(token), tokenSha256, appId: 'default' },
    ...{ state: 'quarantined', reason: 'BadDeviceToken', detail: 'Apple does not know it.' },
    ...{ firstAt: at(0), lastAt, times: 2 },
    ...change,
  }
  await gateway.context.tokenRecords.verdicts.put([verdict])
  return tokenSha256
}
const list = (query = '', licenseKey = gateway.tenant.licenseKey) =>
  gateway.request('GET', `/v1/tokens/invalid${query}`, { headers: { 'x-license-key': licenseKey } })
const listed = async (query = '') =>
  (await list(query)).json.data.tokens.map(({ token_sha256 }: { token_sha256: string }) => token_sha256)

test('an entry says which token, what is wrong with it, and since when', async () => {
  const sha = await givenVerdict(at(9), { extension: '100' })
  expect((await list()).json.data).toEqual({
    tokens: [
      {
        ...{
          token_sha256: sha,
          platform: 'apns',
          kind: 'apns_voip',
          environment: 'production',
          app_id: 'default',
        },
        ...{
          state: 'quarantined',
          reason: 'BadDeviceToken',
          detail: 'Apple does not know it.',
          extension: '100',
        },
        ...{ first_at: '2026-11-21T10:00:00.000Z', last_at: '2026-11-21T10:00:09.000Z', times: 2 },
      },
    ],
  })
})

test('it needs a licence, and shows nothing of other tenants', async () => {
  await givenVerdict(at(1))
  expect((await gateway.request('GET', '/v1/tokens/invalid')).json.code).toBe('license_key_required')
  expect((await list('', 'WL-NO-SUCH-KEY')).status).toBe(403)
  const other = await gateway.otherTenant()
  expect((await list('', other.licenseKey)).json.data).toEqual({ tokens: [] })
})

test('the oldest change comes first, and `since` leaves out what was before', async () => {
  const [late, early, middle] = [
    await givenVerdict(at(30)),
    await givenVerdict(at(10)),
    await givenVerdict(at(20)),
  ]
  expect(await listed()).toEqual([early, middle, late])
  expect(await listed('?since=2026-11-21T10:00:20Z')).toEqual([middle, late])
  expect(await listed('?since=2026-11-21T12:00:20.001%2B02:00')).toEqual([late])
})

test('pages lie next to each other, also where many changes have one time and tokens change meanwhile', async () => {
  const given: string[] = []
  for (let n = 0; n < 23; n += 1) given.push(await givenVerdict(at(n < 11 ? 5 : n)))
  // The same token in both environments, at the same time.
  await gateway.context.db.raw(
    `INSERT INTO token_verdicts SELECT tenant_id, kind, 'sandbox', token_hash, token_sha256, app_id, device_id, extension,
       state, reason, detail, first_at, last_at, times FROM token_verdicts WHERE last_at = ?`,
    [new Date(at(5))],
  )
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const { data } = (await list(`?limit=4${cursor === undefined ? '' : `&cursor=${cursor}`}`)).json
    expect(data.tokens.length).toBeLessThanOrEqual(4)
    for (const one of data.tokens) seen.push(`${one.token_sha256} ${one.environment}`)
    cursor = data.next_cursor
  } while (cursor !== undefined)
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toHaveLength(23 + 11)
  expect(new Set(seen.map((one) => one.slice(0, 64)))).toEqual(new Set(given))
})

test('a full last page has no next one', async () => {
  await givenVerdict(at(1))
  await givenVerdict(at(2))
  expect((await list('?limit=2')).json.data.next_cursor).toBeUndefined()
})

const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const sha = 'ab'.repeat(32)
test.each([
  ['since', 'yesterday'],
  ['since', '2026-11-21'],
  ['since', ''],
  ['limit', '0'],
  ['limit', '501'],
  ['limit', 'ten'],
  ['limit', '1.5'],
  ['cursor', 'x'],
  ['cursor', ''],
  ['cursor', 'a'.repeat(501)],
  ['cursor', cursorOf(null)],
  ['cursor', cursorOf([1, sha, 'apns_voip'])],
  ['cursor', cursorOf([9e15, sha, 'apns_voip', 'production'])],
  ['cursor', cursorOf([-1, sha, 'apns_voip', 'production'])],
  ['cursor', cursorOf([1, `${sha}\0`, 'apns_voip', 'production'])],
  ['cursor', cursorOf([1, sha, 'apns\0', 'production'])],
])('refuses %s=%j and names the field', async (field, value) => {
  const answer = await list(`?${field}=${encodeURIComponent(value)}`)
  expect([answer.status, answer.json.code, answer.json.field]).toEqual([400, 'invalid_request', field])
})

test.each(['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'])('takes %s as a time', async (since) => {
  expect((await list(`?since=${since}`)).status).toBe(200)
})
