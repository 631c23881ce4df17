import { readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { givenOperator } from '../support/operators.ts'

const require = createRequire(import.meta.url)
/** What Bull Board itself registers, so that a route of a later version is crawled, too. */
const { appRoutes } = require('@bull-board/api/dist/routes.js') as {
  appRoutes: { entryPoint: { route: string[] }; api: { method: string; route: string }[] }
}
interface BoardAnswer {
  job?: { data: unknown }
  queues?: unknown
}
const reads = appRoutes.api.filter(({ method }) => method === 'get')
const writes = appRoutes.api.filter(({ method }) => method !== 'get')
const PERMITTED = /\/(retry|promote|clean)(\/:queueStatus)?$/

const at = (route: string, jobId = 'any') =>
  `/operator/queues${route}`
    .replace(':queueName', 'calls')
    .replace(':jobId', jobId)
    .replace(':queueStatus', 'failed')
    .replace(':schedulerId', 'close-stale-pushes')

const canary = { caller_id: '+4930111222333', caller_name: 'Canary Person', call_id: 'canary-4711@10.0.0.5' }

/** A push whose job waits, because nobody works. */
async function givenWaitingPush(gateway: TestGateway) {
  const token = apnsToken()
  const answer = await gateway.push(
    { push_token: token, ...canary },
    { headers: { prefer: 'respond-async' } },
  )
  if (answer.status !== 202) throw new Error(answer.text)
  const job = await gateway.context.queues.raw.get('calls')?.getJob(answer.json.data.push_id)
  if (!job) throw new Error('the job is not in the queue')
  return { token, pushId: answer.json.data.push_id as string, job }
}

describe.each(BACKENDS)('the board on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  /** The answer of one of the board's own read routes. */
  const read = async (path: string, cookie: string): Promise<BoardAnswer> => {
    const response = await ask('get', path, { cookie })
    return (await response.json()) as BoardAnswer
  }
  const ask = (method: string, path: string, headers: Record<string, string> = {}) =>
    fetch(gateway.url + path, { method: method.toUpperCase(), headers, redirect: 'manual' })

  test('wants a login on every path, down to the last file', async () => {
    const files = await staticFiles()
    expect(files.length).toBeGreaterThan(10)
    const paths = [
      ...appRoutes.entryPoint.route.map((route) => ['get', at(route)] as const),
      ...appRoutes.api.map(({ method, route }) => [method, at(route)] as const),
      ...files.map((file) => ['get', `/operator/queues/static/${file}`] as const),
      ['get', '/operator/queues/nothing/here'],
      ['post', '/operator/queues'],
      ['delete', '/operator/queues/api/queues'],
    ] as const
    for (const [method, path] of paths) {
      for (const cookie of ['', 'wakeline_session=forged', 'wakeline_session=']) {
        const response = await ask(method, path, cookie ? { cookie } : {})
        expect([method, path, response.status]).toEqual([method, path, 401])
        expect(await response.json()).toMatchObject({ data: null, code: 'unauthorized' })
      }
    }
  })

  test('leads a browser to the login page, and only for pages', async () => {
    const accept = 'text/html,application/xhtml+xml'
    for (const route of appRoutes.entryPoint.route) {
      const response = await ask('get', at(route), { accept })
      expect([route, response.status, response.headers.get('location')]).toEqual([
        route,
        303,
        '/operator/login',
      ])
    }
    expect((await ask('get', at('/api/queues'), { accept })).status).toBe(401)
    expect((await ask('get', '/operator/queues/static/favicon.ico', { accept })).status).toBe(401)
  })

  test('shows the page under a strict policy', async () => {
    const { cookie } = await givenOperator(gateway, 'viewer')
    const response = await ask('get', '/operator/queues', { cookie })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('<base href="/operator/queues/" />')
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toMatch(/https?:|\*/)
    expect(response.headers.get('x-powered-by')).toBeNull()
    expect(response.headers.get('x-frame-options')).toBe('SAMEORIGIN')
    for (const file of await staticFiles()) {
      expect((await ask('get', `/operator/queues/static/${file}`, { cookie })).status).toBe(200)
    }
  })

  test('never shows token, sealed box, reply channel or caller', async () => {
    const { cookie } = await givenOperator(gateway, 'admin')
    const { token, pushId, job } = await givenWaitingPush(gateway)
    await gateway.context.queues.schedule()
    const secrets = [token, job.data.sealed, job.data.replyTo, ...Object.values(canary)]
    expect(secrets.filter((secret) => typeof secret !== 'string' || secret.length < 10)).toEqual([])

    const paths = [
      ...reads.map(({ route }) => at(route, pushId)),
      ...['latest', 'waiting', 'active', 'completed', 'failed', 'delayed'].map(
        (status) => `${at('/api/queues')}?activeQueue=calls&status=${status}&page=1&jobsPerPage=10`,
      ),
    ]
    let shown = ''
    for (const path of paths) {
      const response = await ask('get', path, { cookie })
      const text = await response.text()
      expect([path, response.status]).toEqual([path, path.endsWith('/redis/stats') ? 403 : 200])
      for (const secret of secrets) expect(text).not.toContain(secret)
      shown += text
    }
    expect(shown).toContain(pushId)
    const one = await read(at('/api/queues/:queueName/:jobId', pushId), cookie)
    expect(one.job?.data).toEqual({
      v: 1,
      sealed: '[hidden]',
      expires_at: new Date(job.data.expiresAt).toISOString(),
      replyTo: '[hidden]',
    })
  })

  test('lets a viewer look and nothing else', async () => {
    const { cookie } = await givenOperator(gateway, 'viewer')
    const { pushId, job } = await givenWaitingPush(gateway)
    for (const { method, route } of writes) {
      const response = await ask(method, at(route, pushId), { cookie })
      expect([route, response.status]).toEqual([route, 405])
    }
    expect(await job.getState()).toBe('waiting')
    expect(await gateway.context.queues.raw.get('calls')?.isPaused()).toBe(false)
    const { queues } = await read(at('/api/queues'), cookie)
    expect(queues).toMatchObject([
      { name: 'calls', readOnlyMode: true },
      { name: 'messages-apns', readOnlyMode: true },
      { name: 'messages-fcm', readOnlyMode: true },
      { name: 'housekeeping', readOnlyMode: true },
    ])
  })

  test.each(['operator', 'admin'] as const)('an %s cannot edit, add, pause or obliterate', async (role) => {
    const { cookie } = await givenOperator(gateway, role)
    const { pushId, job } = await givenWaitingPush(gateway)
    const others = writes.filter(({ route }) => !PERMITTED.test(route))
    expect(others.length).toBeGreaterThan(10)
    for (const { method, route } of others) {
      const response = await ask(method, at(route, pushId), { cookie })
      expect([route, response.status]).toEqual([route, 403])
    }
    expect(await job.getState()).toBe('waiting')
    expect(await gateway.context.queues.raw.get('calls')?.isPaused()).toBe(false)
  })

  test('an operator may promote and remove a job', async () => {
    const { cookie } = await givenOperator(gateway, 'operator')
    const queue = gateway.context.queues.raw.get('calls')
    const job = await queue?.add('deliver-call', { v: 1 }, { delay: 60_000 })
    const path = (action: string) => at(`/api/queues/:queueName/:jobId/${action}`, job?.id)
    expect((await ask('put', path('promote'), { cookie })).status).toBe(204)
    expect(await job?.getState()).toBe('waiting')
    expect((await ask('put', path('clean'), { cookie })).status).toBe(204)
    expect(await queue?.getJob(job?.id ?? '')).toBeUndefined()
  })
})

describe.each(BACKENDS)('the board with workers on %s', (backend) => {
  test('an operator may retry a job that failed', async () => {
    await using gateway = await startTestGateway({ backend })
    const { cookie } = await givenOperator(gateway, 'operator')
    const queue = gateway.context.queues.raw.get('calls')
    // A payload of a version that no worker knows fails for good.
    const job = await queue?.add(
      'deliver-call',
      { v: 99, secret: canary.caller_id },
      { jobId: 'unknown-version' },
    )
    /** When it failed last. */
    const failedAt = async () => {
      const now = await queue?.getJob(job?.id ?? '')
      return now && (await now.getState()) === 'failed' ? now.finishedOn : undefined
    }
    const first = await until(failedAt, { description: 'the job has failed' })

    const api = `${gateway.url}/operator/queues/api/queues/calls`
    const shown = await (await fetch(`${api}/unknown-version`, { headers: { cookie } })).text()
    expect(shown).toContain('deliver-call')
    expect(shown).not.toContain(canary.caller_id)
    const put = { method: 'PUT', headers: { cookie } }
    expect((await fetch(`${api}/unknown-version/retry`, put)).status).toBe(204)
    const second = await until(async () => (await failedAt()) !== first && failedAt(), {
      description: 'it has failed again',
    })
    expect((await fetch(`${api}/retry/failed`, put)).status).toBe(200)
    await until(async () => ![first, second, undefined].includes(await failedAt()), {
      description: 'it has failed a third time',
    })
  })
})

async function staticFiles(): Promise<string[]> {
  const root = join(dirname(require.resolve('@bull-board/ui/package.json')), 'dist', 'static')
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
}
