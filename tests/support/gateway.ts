import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { RealtimeSettings } from '../../src/chat/realtime/realtime-settings.ts'
import { type Backend, loadConfig } from '../../src/config/config.ts'
import { type Context, createContext } from '../../src/context.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { newId } from '../../src/lib/ids.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { createCallSignals } from '../../src/pbx/call-signals.ts'
import type { AppCredentials } from '../../src/push/app-credentials.ts'
import type { Lane } from '../../src/push/push-kinds.ts'
import { runApi } from '../../src/run-api.ts'
import type { RegistryPhoneOptions } from '../../src/simulators/phone-registry.ts'
import { type Simulators, startSimulators } from '../../src/simulators/simulators.ts'
import { startWorkers } from '../../workers/start-workers.ts'
import { until } from './conditions.ts'
import { cloneDatabase } from './databases.ts'
import { sharedRedisUrl } from './redis-server.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export const BACKENDS: readonly Backend[] = ['redis', 'postgres']

export interface GatewayOptions {
  backend: Backend
  /** A Redis of the test's own, which it may freeze or kill. */
  redisUrl?: string
  /** A migrated database of the test's own, on a server that it may freeze. */
  databaseUrl?: string
  env?: Record<string, string>
  logger?: Logger
  clock?: Clock
  /** Apps besides the simulators' own. */
  otherApps?: (simulated: Required<AppCredentials>) => readonly AppCredentials[]
  /** Nobody has given it the credentials of any app yet. */
  isUnconfigured?: true
  /** API processes' worth of contexts over the same stores. */
  nodes?: number
  /** How often sockets are looked at, for who cannot wait. */
  realtimeSettings?: Partial<RealtimeSettings>
  /** Limits are exact, however busy the machine is: nobody gives the counters up. */
  patient?: true
  /** Of the tenant's licence, beyond those of its tier. */
  terms?: { maxExtensions?: number }
  /** Which lanes this process works on; both if absent. */
  workers?: boolean | readonly Lane[]
}

/** One answer of the API, read whole. */
export interface Answer {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers that the contract describes
  json: any
}

export type TestGateway = Awaited<ReturnType<typeof startTestGateway>>

/** The same calls as the program's own start: simulators, context, API, workers; on a database of its own. */
export async function startTestGateway(options: GatewayOptions) {
  const releaser = createReleaser()
  const add = <T extends AsyncDisposable>(resource: T): T =>
    releaser.add(resource, (open) => open[Symbol.asyncDispose]())
  try {
    const directory = releaser.add(await temporaryDirectory(), (open) => open.remove())
    const simulators = add(await startSimulators({ directory: directory.path }))
    const database = options.databaseUrl ? { url: options.databaseUrl } : add(await cloneDatabase())
    const env = { DATA_DIR: directory.path, ...options.env }
    const { config, secrets } = testConfig({ ...options, env }, database.url)
    const apps = [simulators.credentials, ...(options.otherApps?.(simulators.credentials) ?? [])]
    const complete = { ...secrets, apps: options.isUnconfigured ? [] : apps }
    const nodes: Node[] = []
    for (let i = 0; i < (options.nodes ?? 1); i += 1) {
      const context = add(
        await createContext(config, complete, {
          ...(options.logger && { logger: options.logger }),
          ...(options.clock && { clock: options.clock }),
          ...(options.realtimeSettings && { realtimeSettings: options.realtimeSettings }),
          ...(options.patient && { counterAnswerMs: 10_000 }),
        }),
      )
      const api = releaser.add(await runApi(context), (open) => open.close(1_000))
      nodes.push({ context, url: api.url, stop: () => api.close(10_000) })
    }
    const [first] = nodes
    if (!first) throw new Error('a gateway needs a node')
    if (options.workers !== false) {
      const lanes = Array.isArray(options.workers) ? options.workers : (['calls', 'messages'] as const)
      releaser.add(startWorkers(first.context, lanes), (open) => open.close(2_000))
    }
    const tenant = await createTenant(first.context, {
      ...{ name: 'test', tier: 'professional' as const },
      ...options.terms,
    })
    return {
      ...surface(first, nodes, simulators, tenant),
      database,
      config,
      secrets: complete,
      [Symbol.asyncDispose]: () => releaser.release(),
    }
  } catch (error) {
    await releaser.release()
    throw error
  }
}

export function testConfig(options: GatewayOptions, databaseUrl: string) {
  return loadConfig(
    {
      DATABASE_URL: databaseUrl,
      ...(options.backend === 'redis' && { REDIS_URL: options.redisUrl ?? sharedRedisUrl() }),
      WAKELINE_SECRET: randomBytes(32).toString('hex'),
      QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}`,
      PORT: '0',
      METRICS_PORT: '0',
      LOG_LEVEL: 'silent',
      // All of a test comes from one address.
      APP_REQUESTS_PER_SECOND: '100000',
      ...options.env,
    },
    'cluster',
  )
}

type Tenant = Awaited<ReturnType<typeof createTenant>>
type Node = { context: Context; url: string; stop: () => Promise<void> }

function surface(first: Node, nodes: readonly Node[], simulators: Simulators, tenant: Tenant) {
  const { context, url } = first
  const phoneErrors: Error[] = []
  const asPbx = { authorization: `Bearer ${tenant.pbxKey}` }

  const request = async (
    method: string,
    path: string,
    { body, headers, signal, base = url }: RequestOptions = {},
  ): Promise<Answer> => {
    const response = await fetch(base + path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: parse(text) }
  }
  const pbx = (method: string, path: string, options: RequestOptions = {}) =>
    request(method, `/api/v1/pbx${path}`, { ...options, headers: { ...asPbx, ...options.headers } })

  return {
    context,
    nodes,
    url,
    simulators,
    tenant,
    phoneErrors,
    request,
    pbx,
    /** `POST /v1/push` as FlowPBX sends it. */
    push: (change: Record<string, unknown> = {}, options: RequestOptions = {}) =>
      request('POST', '/v1/push', {
        ...options,
        body: {
          license_key: tenant.licenseKey,
          push_token: apnsToken(),
          push_platform: 'apns',
          caller_id: '1001',
          call_id: callId(),
          ...change,
        },
      }),
    /** `POST /v1/push` of a chat message for an Android phone. */
    message: (change: Record<string, unknown> = {}, options: RequestOptions = {}) =>
      request('POST', '/v1/push', {
        ...options,
        body: {
          license_key: tenant.licenseKey,
          kind: 'message',
          push_token: fcmToken(),
          push_platform: 'fcm',
          message_id: newId(),
          text: 'Are you coming?',
          ...change,
        },
      }),
    /** What the gateway tells of a push, once it has ended. */
    ended: (pushId: string, timeoutMs = 30_000) =>
      until(
        async () => {
          const { json } = await request('GET', `/v1/push/${pushId}`, {
            headers: { 'x-license-key': tenant.licenseKey },
          })
          return ['queued', 'sending'].includes(json.data?.status) ? undefined : json.data
        },
        { timeoutMs, description: `push ${pushId} has ended` },
      ),
    /** A held call. */
    call: (
      extension: string,
      options: RequestOptions & { wait?: number; body?: Record<string, unknown> } = {},
    ) =>
      pbx('POST', '/calls', {
        ...options,
        body: { call_id: callId(), extension, caller_id: '0301234567', ...options.body },
        headers: { prefer: `wait=${options.wait ?? 5}`, ...options.headers },
      }),
    /** An extension with a phone that the simulators know. */
    async givenPhone(
      phone: Partial<Omit<RegistryPhoneOptions, 'api'>> & { extension: string; deviceId?: string },
    ) {
      const {
        extension,
        deviceId = `phone-${newId()}`,
        platform = 'apns',
        token = tokenFor(platform),
      } = phone
      await must(pbx('PUT', `/extensions/${extension}`, { body: {} }))
      const tokens = [
        platform === 'apns'
          ? { kind: 'apns_voip', token, environment: phone.environment ?? 'production' }
          : { kind: 'fcm', token },
      ]
      await must(pbx('PUT', `/extensions/${extension}/devices/${deviceId}`, { body: { tokens } }))
      const simulated = simulators.phones.add({
        platform,
        token,
        behaviour: phone.behaviour ?? { registersAfterMs: 20 },
        api: { url, pbxKey: tenant.pbxKey, extension, deviceId },
        onError: (error) => phoneErrors.push(error),
        ...(phone.environment && { environment: phone.environment }),
      })
      return { ...simulated, token, deviceId, extension }
    },
    /** The rows of the push log, oldest first. */
    pushLog: async () => context.db('push_logs').select('*').orderBy('accepted_at').orderBy('id'),
    otherTenant: () => createTenant(context, { name: 'other', tier: 'free' }),
    /** A registration that the store remembers from `ms` ago. */
    registeredEarlier: (extension: string, deviceId: string, ms: number) =>
      createCallSignals(context.signals, context.outcomes).register(tenant.tenantId, extension, {
        at: Date.now() - ms,
        deviceId,
      }),
    /** Extensions whose phones get the push and never register by themselves; made without HTTP, for large numbers. */
    async givenSilentPhones(extensions: readonly string[]) {
      for (const number of extensions) {
        const { id } = await context.extensions.put(tenant.tenantId, number, {})
        await context.registerDevice({
          tenantId: tenant.tenantId,
          extensionId: id,
          deviceKey: `phone-${number}`,
          appId: 'default',
          tokens: [{ kind: 'apns_voip', environment: 'production', token: apnsToken() }],
        })
      }
    },
  }
}

interface RequestOptions {
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
  base?: string
}

/** What a request gave that the test itself is not about. */
export async function must(answer: Promise<Answer>): Promise<Answer['json']> {
  const { status, json, text } = await answer
  if (status >= 300) throw new Error(`the test's set-up was refused with ${status}: ${text}`)
  return json.data
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // not JSON: the test looks at `text`
  }
}

export const apnsToken = (): string => randomBytes(32).toString('hex')
export const fcmToken = (): string =>
  `${randomBytes(16).toString('base64url')}:APA91b${randomBytes(90).toString('base64url')}`
export const callId = (): string => `${randomBytes(8).toString('hex')}@10.0.0.5`
const tokenFor = (platform: 'apns' | 'fcm') => (platform === 'apns' ? apnsToken() : fcmToken())
