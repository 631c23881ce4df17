import { type Line, MATRIX, type Target } from '../support/authorisation-matrix.ts'
import { type Customer, givenWorld } from '../support/authorisation-world.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { takeDatabaseAway } from '../support/take-database-away.ts'

/** With the database away every route of the app and of the PBX says so, in the words that the document declares. */
let gateway: TestGateway
let target: Target
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'redis', workers: false, env: { RATE_LIMITS: 'off' } })
  const [customer] = (await givenWorld(gateway)) as readonly [Customer, Customer]
  const [owner] = customer.owners
  target = { customer, owner }
  const { appAuth, pbxAuth } = gateway.context
  // Who asks is known, so that it is the route itself that meets the outage.
  const { user, deviceId: deviceKey } = owner
  const caller = { tenantId: customer.tenantId, extensionId: user.extensionId, extension: user.extension }
  appAuth.verify = async () => ({ ...caller, sessionId: user.sessionId, deviceKey, tokenExpiresAt: FAR })
  pbxAuth.verify = async () => ({ tenantId: customer.tenantId }) as never
  takeDatabaseAway(gateway)
})
afterAll(() => gateway[Symbol.asyncDispose]())

const FAR = new Date(8e15)

/** They live on what is in Redis, and a call on phones that were called before. */
const WITHOUT = [
  'POST /api/v1/pbx/calls',
  'GET /api/v1/pbx/calls/{id}',
  'POST /api/v1/pbx/calls/{id}/decline',
  'GET /api/v1/pbx/calls/{id}/events',
  'DELETE /api/v1/pbx/calls/{id}',
  'POST /api/v1/app/realtime/ticket',
]
const lines: readonly Line[] = [...MATRIX['pbx-key'], ...MATRIX.app].filter(
  ({ route }) => !WITHOUT.includes(route),
)

test.each(lines.map((line) => [line.route, line] as const))('%s', async (route, line) => {
  const [method = '', pattern = ''] = route.split(' ')
  const path = Object.entries(line.path?.(target) ?? {}).reduce(
    (text, [name, value]) => text.replace(`{${name}}`, encodeURIComponent(value)),
    pattern,
  )
  const asked = typeof line.query === 'function' ? line.query(target) : line.query
  const query = asked === undefined ? '' : `?${asked}`
  const upload = line.upload?.(target)
  const response = await fetch(gateway.url + path + query, {
    method,
    ...(upload && { headers: upload.headers, body: upload.body as Buffer<ArrayBuffer> }),
    ...(line.body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(line.body(target)),
    }),
  })
  const json = (await response.json()) as { data: unknown; code: string }
  expect({ status: response.status, code: json.code, data: json.data }).toEqual({
    status: 503,
    code: upload ? 'storage_unavailable' : 'store_unavailable',
    data: null,
  })
  expect(response.headers.has('retry-after')).toBe(true)
})
