import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { DAY, SECOND } from '../lib/units.ts'
import type { AppCredentials } from '../push/app-credentials.ts'
import { PRIVACY_MODES, type Privacy } from '../push/push-kinds.ts'
import { readApp } from './app-variables.ts'
import type { Env } from './env.ts'
import { ConfigError, createReader, type Reader } from './faults.ts'
import { isPrivateKey } from './private-key.ts'
import { readSharedAppHosts } from './shared-app-hosts.ts'
import { type BucketKey, readBucketKey, readVoicemail, type VoicemailConfig } from './voicemail-variables.ts'
import { readWebhookNetworks } from './webhook-networks.ts'

/** Everything that may be logged. */
export interface Config {
  readonly shape: Shape
  readonly dataDirectory: string
  readonly http: { readonly host: string; readonly port: number; readonly trustProxyHops: number }
  readonly metrics: { readonly host: string; readonly port: number }
  readonly logLevel: LogLevel
  readonly queue: { readonly backend: Backend; readonly prefix: string; readonly concurrency: number }
  readonly holdMs: number
  readonly pushTtlMs: number
  readonly pushPrivacy: Privacy
  /** How long the push log is kept. */
  readonly pushLogDays: number
  readonly voicemail: VoicemailConfig
  /** Hosts that no tenant may claim. */
  readonly sharedAppHosts: readonly string[]
  /** For pushes of a licence that has ended, and of one that cannot be looked up. */
  readonly licenseGraceMs: number
  /** An installation not seen for so long is dead. */
  readonly installationMs: number
  readonly rateLimits: boolean
  /** Of one address. */
  readonly appRequestsPerSecond: number
  readonly drainMs: number
  /** Private networks that webhooks may reach, in CIDR notation. */
  readonly webhookNetworks: readonly string[]
  readonly simulators: 'auto' | 'off'
}

/** What must never be logged; a value of its own, so that `Config` can be. */
export interface Secrets {
  readonly databaseUrl?: string
  readonly redisUrl?: string
  /** 32 bytes; every key at rest derives from it. */
  readonly masterKey?: Uint8Array
  /** An Ed25519 key in PEM that signs licence files and answers. */
  readonly licenseSigningKey?: string
  readonly voicemailBucketKey?: BucketKey
  /** 32 bytes each, the one that signs first; none: it derives from the master key. */
  readonly appTokenSecrets?: readonly [Uint8Array, ...Uint8Array[]]
  readonly apps: readonly AppCredentials[]
}

/** `embedded` brings what is missing (PostgreSQL, secret, simulators); `cluster` refuses to start without. */
export type Shape = 'embedded' | 'cluster'
export type Backend = 'redis' | 'postgres'
const LEVELS = ['info', 'fatal', 'error', 'warn', 'debug', 'silent'] as const
export type LogLevel = (typeof LEVELS)[number]

/** The longest a request may hold a call: phones ring for about 30 s. */
export const MAX_HOLD_SECONDS = 30

/**
 * Judges the environment. Throws ConfigError with every fault at once.
 *
 * @param readFile how key files are read; tests hand in their own
 */
export function loadConfig(
  env: Env,
  shape: Shape,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): { config: Config; secrets: Secrets } {
  const reader = createReader(env, readFile)
  const secrets = readSecrets(reader, shape)
  const config = readValues(reader, shape, secrets)
  if (reader.faults.length > 0) throw new ConfigError(reader.faults)
  return { config: deepFreeze(config), secrets: Object.freeze(secrets) }
}

function readValues(reader: Reader, shape: Shape, secrets: Secrets): Config {
  const prefix = reader.pattern('QUEUE_PREFIX', /^[a-z][a-z0-9_-]{0,31}$/, 'up to 32 of a-z, 0-9, _ and -')
  return {
    shape,
    dataDirectory: resolve(reader.text('DATA_DIR') ?? ''),
    http: {
      host: reader.text('HOST') ?? '',
      port: reader.integer('PORT', 0, 65_535),
      trustProxyHops: reader.integer('TRUST_PROXY_HOPS', 0, 10),
    },
    metrics: { host: reader.text('METRICS_HOST') ?? '', port: reader.integer('METRICS_PORT', 0, 65_535) },
    logLevel: reader.choice('LOG_LEVEL', LEVELS),
    queue: {
      backend: secrets.redisUrl === undefined ? 'postgres' : 'redis',
      prefix: prefix ?? '',
      concurrency: reader.integer('WORKER_CONCURRENCY', 1, 10_000),
    },
    holdMs: reader.integer('HOLD_SECONDS', 1, MAX_HOLD_SECONDS) * SECOND,
    pushTtlMs: reader.integer('PUSH_TTL_SECONDS', 1, 120) * SECOND,
    pushPrivacy: reader.choice('PUSH_PRIVACY', PRIVACY_MODES),
    pushLogDays: reader.integer('PUSH_LOG_DAYS', 1, 3_650),
    voicemail: readVoicemail(reader, resolve(reader.text('DATA_DIR') ?? '')),
    sharedAppHosts: readSharedAppHosts(reader),
    licenseGraceMs: reader.integer('LICENSE_GRACE_DAYS', 0, 365) * DAY,
    installationMs: reader.integer('INSTALLATION_DAYS', 1, 3_650) * DAY,
    rateLimits: reader.choice('RATE_LIMITS', ['on', 'off']) === 'on',
    appRequestsPerSecond: reader.integer('APP_REQUESTS_PER_SECOND', 1, 100_000),
    drainMs: reader.integer('DRAIN_SECONDS', 1, 19) * SECOND,
    webhookNetworks: readWebhookNetworks(reader),
    simulators: reader.choice('SIMULATORS', ['auto', 'off']),
  }
}

function readSecrets(reader: Reader, shape: Shape): Secrets {
  const databaseUrl = reader.secretUrl('DATABASE_URL', ['postgres:', 'postgresql:'])
  const redisUrl = reader.secretUrl('REDIS_URL', ['redis:', 'rediss:'])
  const masterKey = readMasterKey(reader)
  const licenseSigningKey = readLicenseSigningKey(reader)
  const voicemailBucketKey = readBucketKey(reader)
  const appTokenSecrets = readAppTokenSecrets(reader)
  const app = readApp(reader)
  if (shape === 'cluster') {
    if (!reader.text('DATABASE_URL') && !reader.text('DATABASE_URL_FILE')) {
      reader.fault('DATABASE_URL is required (only `npm start` brings its own PostgreSQL)')
    }
    if (!reader.text('WAKELINE_SECRET') && !reader.text('WAKELINE_SECRET_FILE')) {
      reader.fault('WAKELINE_SECRET or WAKELINE_SECRET_FILE is required, the same on every node')
    }
  }
  return {
    ...(databaseUrl && { databaseUrl }),
    ...(redisUrl && { redisUrl }),
    ...(masterKey && { masterKey }),
    ...(licenseSigningKey && { licenseSigningKey }),
    ...(voicemailBucketKey && { voicemailBucketKey }),
    ...(appTokenSecrets && { appTokenSecrets }),
    apps: app ? [app] : [],
  }
}

/** 32 bytes. */
const SECRET = /^[0-9a-f]{64}$/i

function readMasterKey(reader: Reader): Uint8Array | undefined {
  if (reader.text('WAKELINE_SECRET') && reader.text('WAKELINE_SECRET_FILE')) {
    return reader.fault('WAKELINE_SECRET and WAKELINE_SECRET_FILE exclude each other')
  }
  const hex = reader.text('WAKELINE_SECRET') ?? reader.file('WAKELINE_SECRET_FILE')?.trim()
  if (hex === undefined) return undefined
  if (SECRET.test(hex)) return Buffer.from(hex, 'hex')
  return reader.fault('WAKELINE_SECRET must be 64 hex digits, as `openssl rand -hex 32` prints them')
}

function readAppTokenSecrets(reader: Reader): Secrets['appTokenSecrets'] {
  const names = ['APP_JWT_SECRET', 'APP_JWT_SECRET_PREVIOUS'] as const
  if (reader.text(names[1]) && !reader.text(names[0])) reader.fault(`${names[1]} needs ${names[0]}`)
  const [first, ...rest] = names.flatMap((name) => {
    const hex = reader.pattern(name, SECRET, '64 hex digits, as `openssl rand -hex 32` prints them')
    return hex === undefined ? [] : [Buffer.from(hex, 'hex')]
  })
  return first && [first, ...rest]
}

function readLicenseSigningKey(reader: Reader): string | undefined {
  const pem = reader.file('LICENSE_SIGNING_KEY_FILE')
  if (pem === undefined || isPrivateKey(pem, 'ed25519')) return pem
  return reader.fault(
    'LICENSE_SIGNING_KEY_FILE must be an Ed25519 key, as `openssl genpkey -algorithm ed25519` prints them',
  )
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  }
  return Object.freeze(value)
}
