import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { environmentFor } from '../../src/simulators/simulator-environment.ts'
import { startSimulators } from '../../src/simulators/simulators.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase } from '../support/databases.ts'
import { descendantsOf, type Program, startProgram } from '../support/program.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const run = promisify(execFile)

const start = (data: string, env: Record<string, string> = {}) =>
  startProgram('embedded', { env: { DATA_DIR: data, PORT: '0', METRICS_PORT: '0', ...env } })
const READY = 'call_id'

/** What stands behind a label of the banner. */
const value = (text: string, label: string): string =>
  new RegExp(`^ *${label} +(\\S+)`, 'm').exec(text)?.[1] ?? `no ${label}`
const commandsOf = (text: string): string[] => text.match(/^ {2}curl [\s\S]*?\}'$/gm) ?? []
const shell = async (command: string) => JSON.parse((await run('bash', ['-c', command])).stdout).data
const stop = async (program: Program, signal: NodeJS.Signals = 'SIGINT') => {
  program.kill(signal)
  return program.exited
}

describe('npm start on a bare directory', () => {
  let temporary: TemporaryDirectory
  let data: string
  let program: Program
  let text: string

  beforeAll(async () => {
    temporary = await temporaryDirectory()
    data = join(temporary.path, 'data')
    program = start(data)
    text = await program.prints(READY)
  })
  afterAll(async () => {
    await program[Symbol.asyncDispose]()
    await temporary.remove()
  })

  test('says where everything is, and it is there', async () => {
    const pages = [
      value(text, 'API docs'),
      value(text, 'Metrics'),
      `${value(text, 'API')}/readyz`,
      `${value(text, 'Simulators')}/health`,
    ]
    for (const url of pages) expect([url, (await fetch(url)).status]).toEqual([url, 200])
    // The board is there, and not for everybody.
    expect((await fetch(value(text, 'Queue board'), { redirect: 'manual' })).status).not.toBe(404)
    expect(text).toMatch(/Apple +simulated/)
    expect(text).toMatch(/Google +simulated/)
    expect(text).toContain(`PostgreSQL of its own on port`)
    expect(text).toMatch(/Queue +PostgreSQL/)
    expect(text.includes('\u001b')).toBe(false)
    expect(program.stderr()).toBe('')
  })

  test('prints commands that work as they are, again and again', async () => {
    const [call, push] = commandsOf(text)
    for (const _ of [1, 2]) {
      expect(await shell(call ?? '')).toMatchObject({ extension: '1001', outcome: 'registered' })
      expect(await shell(push ?? '')).toMatchObject({ delivered: true, token_valid: true })
    }
  })

  test('brings a phone of each kind', async () => {
    const [call = ''] = commandsOf(text)
    const to = (extension: string, wait = 5) =>
      shell(call.replace('"1001"', `"${extension}"`).replace('wait=5', `wait=${wait}`))
    expect(await to('1002', 3)).toMatchObject({ outcome: 'timeout', pushes: [{ status: 'delivered' }] })
    expect(await to('1003')).toMatchObject({ outcome: 'unreachable', pushes: [{ status: 'token_dead' }] })
    expect(await to('1004')).toMatchObject({ outcome: 'registered' })
  })

  test('keeps its secrets where nobody else can read them', async () => {
    for (const name of ['secret', 'operator-password', 'demo.json', 'postgres-password', 'runtime.json']) {
      expect([name, (await stat(join(data, name))).mode & 0o777]).toEqual([name, 0o600])
    }
    const password = (await readFile(join(data, 'operator-password'), 'utf8')).trim()
    expect(value(text, 'Password')).toBe(password)
    expect(password).toMatch(/^[\w-]{20}$/)
  })

  test('refuses a second one on the same directory in one sentence', async () => {
    const { code, stdout, stderr } = await start(data).exited
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(`wakeline: Another Wakeline is using ${data} (pid ${program.pid}): stop it first.\n`)
  })

  test('says so in one sentence when the port is taken, and leaves nothing behind', async () => {
    await using other = await temporaryDirectory()
    const second = join(other.path, 'data')
    const { port } = new URL(value(text, 'API'))
    const { code, stdout, stderr } = await start(second, { PORT: port }).exited
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      new RegExp(`^wakeline: port ${port} on 127.0.0.1 is taken by another program.*\\n$`),
    )
    for (const name of ['wakeline.lock', 'runtime.json', 'pgdata/postmaster.pid']) {
      expect([name, existsSync(join(second, name))]).toEqual([name, false])
    }
  })
})

describe('stopping npm start', () => {
  test('Ctrl-C ends it and all that it started; the next start finds the data', async () => {
    await using temporary = await temporaryDirectory()
    const first = start(temporary.path)
    const before = await first.prints(READY)
    const [, push = ''] = commandsOf(before)
    const { push_id: pushId } = await shell(push)
    const started = await descendantsOf(first.pid)
    expect(started.length).toBeGreaterThan(0)

    expect(await stop(first)).toMatchObject({ code: 0, signal: null, stderr: '' })

    expect(started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(existsSync(join(temporary.path, 'runtime.json'))).toBe(false)

    await using second = start(temporary.path)
    const after = await second.prints(READY)
    const password = await readFile(join(temporary.path, 'operator-password'), 'utf8')
    expect(after).not.toContain(password.trim())
    expect(after).toContain(`in ${join(temporary.path, 'operator-password')}`)
    for (const label of ['Licence key', 'PBX key']) expect(value(after, label)).toBe(value(before, label))
    const kept = await fetch(`${value(after, 'API')}/v1/push/${pushId}`, {
      headers: { 'x-license-key': value(after, 'Licence key') },
    })
    expect(await kept.json()).toMatchObject({ data: { push_id: pushId, status: 'delivered' } })
    expect(await stop(second, 'SIGTERM')).toMatchObject({ code: 0, signal: null })
  }, 120_000)

  test('a held call is answered first', async () => {
    await using temporary = await temporaryDirectory()
    await using program = start(temporary.path)
    const [call = ''] = commandsOf(await program.prints(READY))
    const held = shell(call.replace('"1001"', '"1002"').replace('wait=5', 'wait=30'))
    await until(async () => (await pushesOf(program)) > 0, { description: 'the call is under way' })

    expect(await stop(program)).toMatchObject({ code: 0, signal: null })
    expect(await held).toMatchObject({ outcome: 'timeout' })
  })

  test('a second Ctrl-C ends it at once', async () => {
    await using temporary = await temporaryDirectory()
    await using program = start(temporary.path)
    const [call = ''] = commandsOf(await program.prints(READY))
    const held = run('bash', ['-c', call.replace('"1001"', '"1002"').replace('wait=5', 'wait=30')])
    const cut = expect(held).rejects.toThrow()
    await until(async () => (await pushesOf(program)) > 0, { description: 'the call is under way' })
    const started = await descendantsOf(program.pid)

    await until(() => program.hasEnded() || !program.kill('SIGINT'), { description: 'it has ended' })

    expect(await program.exited).toMatchObject({ code: null, signal: 'SIGINT' })
    await cut
    await until(() => started.every((pid) => !existsSync(`/proc/${pid}`)), {
      description: 'no child is left',
    })
  })

  test('stops with a sentence when PostgreSQL dies', async () => {
    await using temporary = await temporaryDirectory()
    await using program = start(temporary.path)
    await program.prints(READY)
    const [pid] = (await readFile(join(temporary.path, 'pgdata/postmaster.pid'), 'utf8')).split('\n')
    process.kill(Number(pid), 'SIGKILL')

    const { code, stderr } = await program.exited
    expect(code).toBe(1)
    expect(stderr).toMatch(/"level":"fatal".*PostgreSQL has ended by SIGKILL/)
    expect(stderr).toMatch(
      /^wakeline: PostgreSQL has ended by SIGKILL, so Wakeline stops; .*postgres.log says more\.$/m,
    )
  })

  test('Ctrl-C in the middle of the first start', async () => {
    await using temporary = await temporaryDirectory()
    await using program = start(temporary.path)
    await until(() => existsSync(join(temporary.path, 'pgdata.new')), { description: 'initdb is at work' })
    const started = await descendantsOf(program.pid)

    expect(await stop(program)).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })

    expect(started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(existsSync(join(temporary.path, 'wakeline.lock'))).toBe(false)
  })
})

describe('npm start with an environment', () => {
  test('all faults are told at once, no value among them', async () => {
    await using temporary = await temporaryDirectory()
    const { code, stdout, stderr } = await start(join(temporary.path, 'data'), {
      PORT: 'eighty',
      LOG_LEVEL: 'loud',
      WAKELINE_SECRET: 'a-secret-that-is-too-short',
      DATABASE_URL: 'mysql://user:hunter2@db/x',
      APNS_KEY_ID: 'ABCDE12345',
    }).exited
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    for (const name of ['PORT', 'LOG_LEVEL', 'WAKELINE_SECRET', 'DATABASE_URL', 'APNS_KEY_FILE']) {
      expect(stderr).toContain(name)
    }
    expect(stderr).not.toMatch(/hunter2|too-short|eighty|ABCDE12345/)
    expect(existsSync(join(temporary.path, 'data'))).toBe(false)
  })

  test('credentials of one provider: the other one is absent, and nothing is simulated', async () => {
    await using temporary = await temporaryDirectory()
    await using simulators = await startSimulators({ directory: join(temporary.path, 'vendor') })
    const { FCM_CREDENTIALS_FILE, ...apns } = environmentFor(simulators)
    await using program = start(join(temporary.path, 'data'), apns)
    const text = await program.prints('Register a phone')
    expect(text).toMatch(/Apple +real/)
    expect(text).toMatch(/Google +absent/)
    expect(text).not.toMatch(/Simulators|curl/)
  })

  test('a database of somebody else; keys are new where they are unknown', async () => {
    await using temporary = await temporaryDirectory()
    const keys: string[] = []
    for (const _ of [1, 2]) {
      await using database = await cloneDatabase()
      await using program = start(temporary.path, { DATABASE_URL: database.url })
      const text = await program.prints(READY)
      expect(text).toContain('PostgreSQL at DATABASE_URL')
      expect(text).not.toContain(database.url)
      const [call = ''] = commandsOf(text)
      expect(await shell(call)).toMatchObject({ outcome: 'registered' })
      keys.push(value(text, 'PBX key'))
      expect(await stop(program)).toMatchObject({ code: 0 })
    }
    expect(new Set(keys).size).toBe(2)
    expect(existsSync(join(temporary.path, 'pgdata'))).toBe(false)
  }, 120_000)

  test('a database that is not there is told in one sentence without its password', async () => {
    await using temporary = await temporaryDirectory()
    const { code, stderr } = await start(temporary.path, {
      DATABASE_URL: 'postgres://user:hunter2@127.0.0.1:1/x',
    }).exited
    expect(code).toBe(1)
    expect(stderr).toMatch(/^wakeline: The database at DATABASE_URL cannot be used \(ECONNREFUSED\)/m)
    expect(stderr).not.toContain('hunter2')
  })
})

/** How many requests Apple's simulator has had. */
async function pushesOf(program: Program): Promise<number> {
  const answer = await fetch(`${value(program.stdout(), 'Simulators')}/received?provider=apns&since=0`)
  return ((await answer.json()) as { total: number }).total
}
