import { apiRoutes } from '../../src/api.ts'
import { ROLES, type Role } from '../../src/http/operator-roles.ts'
import type { AuthScheme } from '../../src/http/route.ts'
import { type Line, MATRIX, OPEN, type OperatorLine, type Target } from '../support/authorisation-matrix.ts'
import { type Customer, givenWorld } from '../support/authorisation-world.ts'
import { type Answer, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator } from '../support/operators.ts'

/** Each route x each kind of caller x own and other people's things. A route that is not in the matrix fails the first test. */
let gateway: TestGateway
const cookies: Partial<Record<Role, string>> = {}
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', env: { RATE_LIMITS: 'off' } })
  for (const role of ROLES) cookies[role] = (await givenOperator(gateway, role)).cookie
})
afterAll(() => gateway[Symbol.asyncDispose]())

type Kind = keyof typeof MATRIX
const KINDS = Object.keys(MATRIX) as Kind[]
const linesOf = (kind: Kind): readonly (Line | OperatorLine)[] => MATRIX[kind]

const credentials = ({
  customer,
  owner,
}: Target): Record<AuthScheme<unknown>['name'], Record<string, string>> => ({
  none: {},
  'license-key': { 'x-license-key': customer.licenseKey },
  'pbx-key': { authorization: `Bearer ${customer.pbxKey}` },
  app: { authorization: owner.user.authorization },
  operator: asOperator('admin'),
})
const asOperator = (role: Role) => ({ cookie: cookies[role] ?? '' })

/** The request of a line about the things of `about`, by whoever has these credentials. */
async function ask(line: Line, about: Target, headers: Record<string, string>): Promise<Answer> {
  const [method = '', pattern = ''] = line.route.split(' ')
  const path = Object.entries(line.path?.(about) ?? {}).reduce(
    (text, [name, value]) => text.replace(`{${name}}`, encodeURIComponent(value)),
    pattern,
  )
  const upload = line.upload?.(about)
  if (upload) return send(method, path, upload.body, { ...headers, ...upload.headers })
  if (path.endsWith('/events')) return peek(path, headers)
  const asked = typeof line.query === 'function' ? line.query(about) : line.query
  const query = asked === undefined ? '' : `?${asked}`
  return gateway.request(method, path + query, {
    headers,
    ...(line.body && { body: line.body(about) }),
  })
}

/** A stream of events has no end of its own: its beginning tells whether one may have it. */
async function peek(path: string, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(gateway.url + path, { headers })
  const isStream = response.headers.get('content-type') === 'text/event-stream'
  const text = isStream ? '' : await response.text()
  if (isStream) await response.body?.cancel()
  return { status: response.status, headers: response.headers, text, json: isStream ? {} : JSON.parse(text) }
}

async function send(
  method: string,
  path: string,
  body: Buffer,
  headers: Record<string, string>,
): Promise<Answer> {
  const response = await fetch(gateway.url + path, { method, headers, body: body as Buffer<ArrayBuffer> })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) }
}

const targetsOf = (customers: readonly Customer[]): Target[] =>
  customers.flatMap((customer) => customer.owners.map((owner) => ({ customer, owner })))

test('every route is in the matrix, under the kind of caller that it has', () => {
  const expected = KINDS.flatMap((kind) => MATRIX[kind].map(({ route }) => `${kind} ${route}`))
  const open = Object.keys(OPEN).map((route) => `none ${route}`)
  const routes = apiRoutes(gateway.context).map(
    ({ auth, method, path }) => `${auth.name} ${method.toUpperCase()} ${path}`,
  )
  expect(routes.sort()).toEqual([...expected, ...open].sort())
})

describe.each(KINDS)('a route for callers with %s', (kind) => {
  test.each(linesOf(kind).map((line) => [line.route, line] as const))('%s', async (_route, line) => {
    const world = await givenWorld(gateway)
    const [mine, colleague, stranger] = targetsOf(world)
    if (!mine || !colleague || !stranger) throw new Error('the world is too small')

    // Credentials of every other kind are none.
    for (const other of ['none', ...KINDS.filter((name) => name !== kind)] as const) {
      const { status, json } = await ask(line, mine, credentials(mine)[other])
      expect([other, status]).toEqual([other, kind === 'license-key' ? 400 : 401])
      expect(json.data).toBeNull()
    }

    // An operator needs the role, and may then look after every customer.
    if ('least' in line) {
      const roles = ROLES.slice(0, ROLES.indexOf(line.least))
      for (const role of roles) {
        const { status, json } = await ask(line, mine, asOperator(role))
        expect([role, status, json.code]).toEqual([role, 403, 'forbidden'])
      }
      expect((await ask(line, stranger, asOperator(line.least))).status).toBe(line.ok)
    }

    // What is somebody else's is not there, and stays as it is.
    const strangers = kind === 'app' ? [colleague, stranger] : [stranger]
    for (const other of line.foreign === undefined ? [] : strangers) {
      const answer = await ask(line, other, credentials(mine)[kind])
      const told = { route: line.route, status: answer.status, code: answer.json?.code }
      if (typeof line.foreign === 'number') {
        expect(told).toMatchObject({ status: line.foreign })
        expect(answer.text).not.toContain(other.owner.mark)
      } else expect(told).toMatchObject({ status: line.ok })
      expect((await ask(line, other, credentials(other)[kind])).status).toBe(line.ok)
    }

    const own = await ask(line, mine, credentials(mine)[kind])
    expect({ status: own.status, code: own.json?.code }).toEqual({ status: line.ok, code: undefined })
    expect(own.text).not.toContain(stranger.owner.mark)
    const isPersonal = kind === 'app' && !line.route.endsWith('/directory')
    if (isPersonal) expect(own.text).not.toContain(colleague.owner.mark)
  })
})
