import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Backend } from '../../src/config/config.ts'
import { openDatabase } from '../../src/db/database.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { createLicenseRecords } from '../../src/license/license-records-store.ts'
import { environmentFor } from '../../src/simulators/simulator-environment.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'
import { until } from './conditions.ts'
import { cloneDatabase } from './databases.ts'
import { apnsToken, callId } from './gateway.ts'
import { guardProcess } from './guard.ts'
import { programEnvironment } from './program-environment.ts'
import { sharedRedisUrl } from './redis-server.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const ROOT = join(import.meta.dirname, '../..')
export const API_PROGRAM = ['src/bin/api.ts']
export const CALL_WORKER_PROGRAM = ['workers/main.ts', '--lane', 'calls']
export const MESSAGE_WORKER_PROGRAM = ['workers/main.ts', '--lane', 'messages']
/** Several programs start at once on two cores, each reading its sources. */
const START_MS = 45_000

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A process of ours, started as an operator would start it. */
export interface Program extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  /** Settles when it has ended and all it said has been read. */
  readonly exited: Promise<Exit>
  kill(signal: NodeJS.Signals): void
  /** Everything said so far, on both streams. */
  output(): string
  /** The first log line with this message. */
  logged(message: string): Promise<Record<string, unknown>>
}

/** @param args What follows `node`. @param env The whole environment but for what finds and ends the process. */
export function startProgram(name: string, args: readonly string[], env: Record<string, string>): Program {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: ROOT,
    // By the last one a run that was interrupted finds what it has left.
    env: { ...programEnvironment(), WAKELINE_TEST_POSTGRES: process.env.WAKELINE_TEST_POSTGRES, ...env },
    // A process group of its own: Ctrl-C ends Jest first, and the guard then ends this.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const unguard = guardProcess(child.pid ?? 0)
  let exit: Exit | undefined
  const exited = once(child, 'close').then(([code, signal]): Exit => {
    unguard()
    exit = { code, signal }
    return exit
  })
  const explain = (what: string) => new Error(`${name} ${what}; it said:\n${said}`)

  return {
    name,
    pid: child.pid ?? 0,
    exited,
    kill: (signal) => void child.kill(signal),
    output: () => said,
    logged: (message) =>
      until(
        () => {
          const line = logLines(said).find(({ msg }) => msg === message)
          if (!line && exit) throw explain(`ended with ${exit.code ?? exit.signal} before "${message}"`)
          return line
        },
        { description: `${name} logs "${message}"`, timeoutMs: START_MS },
      ).catch((error: unknown) => {
        throw exit ? error : explain(`did not log "${message}" within ${START_MS} ms`)
      }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** A last line may still be on its way, and not everything a program says is a log line. */
function logLines(text: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Record<string, unknown>]
    } catch {
      return [] // not JSON: said by Node or by the program itself
    }
  })
}

export interface ClusterOptions {
  backend: Backend
  /** How many processes of each kind. */
  apis?: number
  callWorkers?: number
  messageWorkers?: number
  /** A Redis of the test's own. */
  redisUrl?: string
  env?: Record<string, string>
}

export type Api = Program & { url: string }
export type Cluster = Awaited<ReturnType<typeof startCluster>>

/** Runs the test with a cluster; when it fails, what the processes said is part of the failure. */
export async function inCluster(
  options: ClusterOptions,
  test: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  await using cluster = await startCluster(options)
  try {
    await test(cluster)
  } catch (error) {
    if (error instanceof Error) error.stack = `${error.stack}\n\n${cluster.logs()}`
    throw error
  }
}

/** Processes as in production: APIs and workers side by side, over one database and one Redis or none. */
export async function startCluster(options: ClusterOptions) {
  const { apis: apiCount = 1, callWorkers = 1, messageWorkers = 0 } = options
  const releaser = createReleaser()
  try {
    const directory = releaser.add(await temporaryDirectory(), (open) => open.remove())
    const simulators = releaser.add(await startSimulators({ directory: directory.path }), (open) =>
      open.close(),
    )
    const database = releaser.add(await cloneDatabase(), (open) => open.drop())
    const db = releaser.add(openDatabase(database.url, { poolSize: 4 }), (open) => open.destroy())
    const secret = randomBytes(32)
    const env = clusterEnvironment(options, simulators, database.url, secret.toString('hex'))
    const programs: Program[] = []
    const start = (name: string, program: readonly string[]) => {
      const started = startProgram(`${name} (${programs.length + 1})`, program, env)
      programs.push(started)
      return releaser.add(started, (open) => open[Symbol.asyncDispose]())
    }
    const startApi = () => untilListening(start('api', API_PROGRAM))
    const startCallWorker = () => untilWorking(start('worker-calls', CALL_WORKER_PROGRAM))
    const startMessageWorker = () => untilWorking(start('worker-messages', MESSAGE_WORKER_PROGRAM))
    const [apis, calls, messages] = await Promise.all([
      Promise.all(Array.from({ length: apiCount }, startApi)),
      Promise.all(Array.from({ length: callWorkers }, startCallWorker)),
      Promise.all(Array.from({ length: messageWorkers }, startMessageWorker)),
    ])

    const tenant = await createTenant(
      { licenseRecords: createLicenseRecords(db), keyring: createKeyring(secret), clock: systemClock },
      { name: 'test', tier: 'professional' },
    )
    return {
      ...createCaller(tenant),
      apis,
      urls: apis.map(({ url }) => url),
      callWorkers: calls,
      messageWorkers: messages,
      /** One more, as the supervisor of a lost one starts it. */
      startCallWorker,
      env,
      db,
      database,
      simulators,
      tenant,
      /** What every process said, each under its name. */
      logs: () => programs.map(({ name, output }) => `--- ${name}\n${output()}`).join('\n'),
      /** The rows of the push log, oldest first. */
      pushLog: async () => db('push_logs').select('*').orderBy('accepted_at').orderBy('id'),
      [Symbol.asyncDispose]: () => releaser.release(),
    }
  } catch (error) {
    await releaser.release()
    throw error
  }
}

/** What all processes of a cluster have in common. On PostgreSQL alone there is no word of Redis in it. */
function clusterEnvironment(
  { backend, redisUrl, env }: ClusterOptions,
  simulators: Simulators,
  databaseUrl: string,
  secret: string,
): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    ...(backend === 'redis' && { REDIS_URL: redisUrl ?? sharedRedisUrl() }),
    WAKELINE_SECRET: secret,
    QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}`,
    PORT: '0',
    METRICS_PORT: '0',
    ...environmentFor(simulators),
    ...env,
  }
}

async function untilListening(program: Program): Promise<Api> {
  const { url } = await program.logged('api is ready')
  return { ...program, url: String(url) }
}

async function untilWorking(program: Program): Promise<Program> {
  await program.logged('workers are ready')
  return program
}

export interface ClusterAnswer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers that the contract describes
  json: any
}
interface CallOptions {
  wait?: number
  body?: Record<string, unknown>
}

/** Speaks to any API process as the PBX and the gateway's customers do. */
export function createCaller(tenant: { licenseKey: string; pbxKey: string }) {
  const request = async (
    url: string,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ClusterAnswer> => {
    const response = await fetch(url + path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: response.status, headers: response.headers, json: await response.json() }
  }
  const pbx = (
    url: string,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) =>
    request(url, method, `/api/v1/pbx${path}`, body, {
      authorization: `Bearer ${tenant.pbxKey}`,
      ...headers,
    })

  return {
    request,
    pbx,
    /** `POST /v1/push` for an iPhone. */
    push: (url: string, change: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
      request(
        url,
        'POST',
        '/v1/push',
        {
          license_key: tenant.licenseKey,
          push_token: apnsToken(),
          push_platform: 'apns',
          caller_id: '1001',
          call_id: callId(),
          ...change,
        },
        headers,
      ),
    /** A held call. */
    call: (url: string, extension: string, { wait = 5, body = {} }: CallOptions = {}) =>
      pbx(
        url,
        'POST',
        '/calls',
        { call_id: callId(), extension, caller_id: '0301234567', ...body },
        { prefer: `wait=${wait}` },
      ),
    /** An extension with an iPhone. */
    async givenPhone(url: string, extension: string, deviceId = `phone-of-${extension}`) {
      const token = apnsToken()
      const device = { tokens: [{ kind: 'apns_voip', token, environment: 'production' }] }
      const answers = [
        await pbx(url, 'PUT', `/extensions/${extension}`, {}),
        await pbx(url, 'PUT', `/extensions/${extension}/devices/${deviceId}`, device),
      ]
      const refused = answers.find(({ status }) => status !== 200)
      if (refused) throw new Error(`the test's set-up was refused: ${JSON.stringify(refused.json)}`)
      return { token, deviceId, extension }
    },
    /** The PBX saw the phone register. */
    register: (url: string, { extension, deviceId }: { extension: string; deviceId: string }) =>
      pbx(url, 'POST', '/registrations', { extension, device_id: deviceId }),
  }
}
