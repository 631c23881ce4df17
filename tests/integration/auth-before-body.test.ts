import { apiRoutes } from '../../src/api.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

/** Who is nobody has nothing parsed: neither the faults nor the size of his body matter. */
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ backend: 'postgres', workers: false })
})
afterAll(() => gateway[Symbol.asyncDispose]())

const routesWithBody = () =>
  apiRoutes(gateway.context).filter(
    ({ auth, body, upload }) => (body || upload) && auth.name !== 'none' && auth.stage === 'before-body',
  )

test.each([
  ['a body that is none', '{'],
  ['a body of no kind', '7'],
  ['megabytes', JSON.stringify('x'.repeat(3_000_000))],
])('%s without credentials is a 401 on every route', async (_what, body) => {
  const routes = routesWithBody()
  expect(routes.length).toBeGreaterThan(20)
  for (const { method, path } of routes) {
    const at = path.replaceAll(/\{\w+\}/g, '1')
    const headers = { authorization: 'Bearer wlpbx_nobody' }
    const answers = [await gateway.request(method.toUpperCase(), at, { body, headers: {} })]
    answers.push(await gateway.request(method.toUpperCase(), at, { body, headers }))
    for (const { status } of answers) expect([method, path, status]).toEqual([method, path, 401])
  }
})
