import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { startProgram } from '../support/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const OUTCOMES = ['registered', 'timeout', 'unreachable', 'registered']

/** The demo against a gateway of the test's own. */
const demoAt = (gateway: TestGateway, simulators: string, ...args: string[]) =>
  startProgram('demo', {
    args: ['--url', gateway.url, '--pbx-key', gateway.tenant.pbxKey, '--simulators', simulators, ...args],
  })

describe.each(BACKENDS)('the demo against a cluster on %s', (backend) => {
  test('four calls go as they should, each with one push', async () => {
    await using gateway = await startTestGateway({ backend })
    const { simulators } = gateway

    const { code, stdout, stderr } = await demoAt(gateway, simulators.controlUrl, '--json').exited

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ ok: true, url: gateway.url, pushes: 4 })
    expect(report.calls.map(({ outcome }: { outcome: string }) => outcome)).toEqual(OUTCOMES)
    const [, timeout, dead] = report.calls
    expect(timeout.held_ms).toBeGreaterThanOrEqual(4_998)
    // The hold would have lasted 5 s.
    expect(dead.held_ms).toBeLessThan(4_900)
    expect(dead.verdict).toMatch(/UNREGISTERED.*no_device/)
    expect(simulators.apns.received).toHaveLength(2)
    expect(simulators.fcm.received).toHaveLength(2)
    // Its phones are switched off again, so that nobody is woken by a later call.
    expect(simulators.phones.size).toBe(0)
    expect(stdout).not.toContain(gateway.tenant.pbxKey)
  })
})

describe.each(BACKENDS)('the demo of chat against a cluster on %s', (backend) => {
  test('two people, a phone asleep, one open and two of one person: told as it went', async () => {
    await using gateway = await startTestGateway({ backend })
    const { simulators } = gateway

    const { code, stdout, stderr } = await demoAt(gateway, simulators.controlUrl, '--chat', '--json').exited

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ ok: true, url: gateway.url, summary: '3 of 3 went as they should.' })
    const [asleep, open, both] = report.chats.map(({ timeline }: { timeline: { what: string }[] }) =>
      timeline.map(({ what }) => what).join('\n'),
    )
    expect(asleep).toMatch(
      /Ada writes[\s\S]*arrives at Apple \(alert\): accepted[\s\S]*leaves the app alone[\s\S]*a tap: the app starts[\s\S]*opens with 2 messages that are new[\s\S]*no number on the icon/,
    )
    expect(open).not.toMatch(/Apple/)
    expect(both).toMatch(/tablet: the notification is shown[\s\S]*tablet: the notification is taken back/)
    expect(stdout).not.toContain(gateway.tenant.pbxKey)
    // Its phones are gone again.
    expect(await gateway.context.db('devices').select('id')).toEqual([])
  })
})

describe('the demo', () => {
  test('of chat fails when a notification is not as it should be', async () => {
    await using gateway = await startTestGateway({ backend: 'postgres' })
    await using control = await alteredControl(gateway.simulators.controlUrl, {
      answer: (body) => body.replaceAll('UNREAD_MESSAGES', 'OTHER_WORDS'),
    })

    const { code, stdout } = await demoAt(gateway, control.url, '--chat').exited

    expect(code).toBe(1)
    expect(stdout).toMatch(/FAILED {2}expected one notification of two messages .*found .*OTHER_WORDS/s)
    expect(stdout).toMatch(/FAILED\. 2 of 3 went as they should/)
  })

  test('starts a Wakeline of its own where none runs, tells a story, and leaves nothing behind', async () => {
    await using scratch = await temporaryDirectory()
    const { code, stdout, stderr } = await startProgram('demo', {
      args: ['--data', join(scratch.path, 'none')],
      env: { TMPDIR: scratch.path, DATABASE_URL: 'postgres://not.for.the.demo/x' },
    }).exited

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      /PBX asks for 9001[\s\S]*takes the call[\s\S]*arrives at Apple: accepted[\s\S]*phone rings[\s\S]*phone registers[\s\S]*hold ends: registered/,
    )
    expect(stdout).toMatch(/hold ends: timeout, go to voicemail/)
    expect(stdout).toMatch(/arrives at Google: 404 UNREGISTERED/)
    expect(stdout.match(/^ {3}ok /gm)).toHaveLength(4)
    expect(stdout).toMatch(/All good\. 4 of 4 calls/)
    expect(stdout.includes('\u001b')).toBe(false)
    expect(await readdir(scratch.path)).toEqual([])
  })

  test('finds the Wakeline that runs on the data directory, time and again', async () => {
    await using scratch = await temporaryDirectory()
    await using running = startProgram('embedded', {
      env: { DATA_DIR: scratch.path, PORT: '0', METRICS_PORT: '0' },
    })
    const text = await running.prints('call_id')
    for (const _ of [1, 2]) {
      const { code, stdout } = await startProgram('demo', {
        args: ['--json'],
        env: { DATA_DIR: scratch.path },
      }).exited
      const report = JSON.parse(stdout)
      expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true })
      expect(text).toContain(`API           ${report.url}\n`)
    }
  }, 120_000)

  test('fails when a phone does not come that should', async () => {
    await using gateway = await startTestGateway({ backend: 'postgres' })
    await using control = await neverRegistering(gateway.simulators.controlUrl)

    const { code, stdout } = await demoAt(gateway, control.url).exited

    expect(code).toBe(1)
    expect(stdout).toMatch(/FAILED {2}expected outcome registered, found timeout/)
    expect(stdout).toMatch(/FAILED\. 2 of 4 calls went as they should/)
  })

  test('fails with a sentence when nothing answers, or the key is wrong', async () => {
    await using gateway = await startTestGateway({ backend: 'postgres' })
    const away = await demoAt(gateway, 'http://127.0.0.1:1').exited
    expect(away.code).toBe(1)
    expect(away.stderr).toBe(
      'wakeline: PUT http://127.0.0.1:1/phones/... got no answer: is it running there?\n',
    )
    const args = ['--url', gateway.url, '--pbx-key', 'wlpbx_WRONG']
    const wrong = await startProgram('demo', {
      args: [...args, '--simulators', gateway.simulators.controlUrl],
    }).exited
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toMatch(/^wakeline: PUT .* was answered with 401: .*\n$/)
    expect(wrong.stderr).not.toContain('wlpbx_WRONG')
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s in the middle stops and removes what it started',
    async (signal) => {
      await using scratch = await temporaryDirectory()
      const demo = startProgram('demo', {
        args: ['--data', join(scratch.path, 'none')],
        env: { TMPDIR: scratch.path },
      })
      await demo.prints('An iPhone that wakes up')
      const [directory = ''] = await readdir(scratch.path)
      const [pid = ''] = await postmasterOf(join(scratch.path, directory))

      demo.kill(signal)

      expect(await demo.exited).toMatchObject({ code: 1, stderr: 'wakeline: interrupted\n' })
      expect(await readdir(scratch.path)).toEqual([])
      expect(existsSync(`/proc/${pid}`)).toBe(false)
    },
  )

  test('SIGINT in the middle of a chat stops and removes what it started, too', async () => {
    await using scratch = await temporaryDirectory()
    const demo = startProgram('demo', {
      args: ['--chat', '--data', join(scratch.path, 'none')],
      env: { TMPDIR: scratch.path },
    })
    await demo.prints('A phone asleep')

    demo.kill('SIGINT')

    expect(await demo.exited).toMatchObject({ code: 1, stderr: 'wakeline: interrupted\n' })
    expect(await readdir(scratch.path)).toEqual([])
  })

  test('killed without a word, its Wakeline ends by itself', async () => {
    await using scratch = await temporaryDirectory()
    const demo = startProgram('demo', {
      args: ['--data', join(scratch.path, 'none')],
      env: { TMPDIR: scratch.path },
    })
    await demo.prints('An iPhone that wakes up')
    const [directory = ''] = await readdir(scratch.path)
    const [pid = ''] = await postmasterOf(join(scratch.path, directory))

    demo.kill('SIGKILL')

    await until(() => !existsSync(`/proc/${pid}`), { timeoutMs: 15_000, description: 'PostgreSQL has ended' })
  })
})

const postmasterOf = async (directory: string) =>
  (await readFile(join(directory, 'pgdata/postmaster.pid'), 'utf8')).split('\n')

/** The control server of the simulators, but its phones stay asleep. */
const neverRegistering = (controlUrl: string) =>
  alteredControl(controlUrl, {
    request: (body) => body.replace(/"registers_after_ms":\d+/, '"registers_after_ms":null'),
  })

/** The control server of the simulators, with other words. */
async function alteredControl(
  controlUrl: string,
  {
    request: alterRequest = (body: string) => body,
    answer: alterAnswer = (body: string) => body,
  }: { request?: (body: string) => string; answer?: (body: string) => string },
) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const answer = await fetch(new URL(request.url ?? '/', controlUrl), {
      method: request.method ?? 'GET',
      ...(body !== '' && { body: alterRequest(body) }),
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    response.end(alterAnswer(await answer.text()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
