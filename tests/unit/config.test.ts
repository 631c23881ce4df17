import { generateKeyPairSync } from 'node:crypto'
import { loadConfig } from '../../src/config/config.ts'
import { ConfigError } from '../../src/config/faults.ts'
import { VARIABLES } from '../../src/config/variables.ts'

const SECRET = 'ab'.repeat(32)
const cluster = { DATABASE_URL: 'postgresql://u:p@db/wakeline', WAKELINE_SECRET: SECRET }
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
})
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
})
const files: Record<string, string> = {
  'key.p8': String(ec),
  'account.json': JSON.stringify({ project_id: 'p', client_email: 'a@b', private_key: rsa }),
  'secret.txt': `${SECRET}\n`,
  'junk.txt': 'junk-content',
  'database.txt': 'postgresql://u:p@elsewhere/wakeline\n',
}
const readFile = (path: string) => {
  const text = files[path]
  if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
  return text
}
const load = (env: Record<string, string>, shape: 'embedded' | 'cluster' = 'cluster') =>
  loadConfig(env, shape, readFile)
const faultsOf = (
  env: Record<string, string>,
  shape: 'embedded' | 'cluster' = 'cluster',
): readonly string[] => {
  try {
    load(env, shape)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}
const apns = {
  APNS_KEY_FILE: 'key.p8',
  APNS_KEY_ID: 'ABCDE12345',
  APNS_TEAM_ID: 'FGHIJ67890',
  APNS_BUNDLE_ID: 'com.example.app',
}

test('an empty environment is enough for npm start', () => {
  const { config, secrets } = load({}, 'embedded')
  expect(config).toMatchObject({
    http: { host: '127.0.0.1', port: 8080 },
    queue: { backend: 'postgres' },
    holdMs: 5_000,
  })
  expect(secrets).toEqual({ apps: [] })
})

test('a cluster says all that it lacks', () => {
  expect(faultsOf({})).toEqual([
    'DATABASE_URL is required (only `npm start` brings its own PostgreSQL)',
    'WAKELINE_SECRET or WAKELINE_SECRET_FILE is required, the same on every node',
  ])
})

test('REDIS_URL alone selects the backend', () => {
  expect(load(cluster).config.queue.backend).toBe('postgres')
  expect(load({ ...cluster, REDIS_URL: 'redis://r:6379' }).config.queue.backend).toBe('redis')
})

test('the secret may come from a file', () => {
  const { WAKELINE_SECRET: _, ...rest } = cluster
  expect(load({ ...rest, WAKELINE_SECRET_FILE: 'secret.txt' }).secrets.masterKey).toEqual(
    Buffer.from(SECRET, 'hex'),
  )
})

test('URLs may come from files', () => {
  const { DATABASE_URL: _, ...rest } = cluster
  expect(load({ ...rest, DATABASE_URL_FILE: 'database.txt' }).secrets.databaseUrl).toBe(
    'postgresql://u:p@elsewhere/wakeline',
  )
})

test('credentials make an app', () => {
  const { secrets } = load({ ...cluster, ...apns, FCM_CREDENTIALS_FILE: 'account.json', APP_ID: 'acme' })
  expect(secrets.apps).toMatchObject([
    {
      id: 'acme',
      apns: { keyId: 'ABCDE12345', endpoints: { production: 'https://api.push.apple.com:443' } },
      fcm: { projectId: 'p', clientEmail: 'a@b' },
    },
  ])
})

test('configuration cannot be changed afterwards', () => {
  const { config } = load(cluster)
  expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError)
})

const cases: [string, Record<string, string>, string][] = [
  ['a port that is no number', { PORT: 'eighty' }, 'PORT must be a whole number from 0 to 65535'],
  ['a port out of range', { PORT: '70000' }, 'PORT must be a whole number from 0 to 65535'],
  ['a negative number', { HOLD_SECONDS: '-1' }, 'HOLD_SECONDS must be a whole number from 1 to 30'],
  ['a fraction', { HOLD_SECONDS: '2.5' }, 'HOLD_SECONDS must be a whole number from 1 to 30'],
  ['an exponent', { PUSH_TTL_SECONDS: '1e1' }, 'PUSH_TTL_SECONDS must be a whole number from 1 to 120'],
  [
    'another protocol',
    { REDIS_URL: 'http://x' },
    'REDIS_URL must be a URL starting with redis:// or rediss://',
  ],
  ['no URL', { DATABASE_URL: 'db' }, 'DATABASE_URL must be a URL starting with postgres:// or postgresql://'],
  [
    'an unknown level',
    { LOG_LEVEL: 'loud' },
    'LOG_LEVEL must be one of info, fatal, error, warn, debug, silent',
  ],
  ['a prefix with a colon', { QUEUE_PREFIX: 'a:b' }, 'QUEUE_PREFIX must be up to 32 of a-z, 0-9, _ and -'],
  [
    'a short secret',
    { WAKELINE_SECRET: 'abc' },
    'WAKELINE_SECRET must be 64 hex digits, as `openssl rand -hex 32` prints them',
  ],
  [
    'two secrets',
    { WAKELINE_SECRET_FILE: 'secret.txt' },
    'WAKELINE_SECRET and WAKELINE_SECRET_FILE exclude each other',
  ],
  [
    'half of APNs',
    { APNS_KEY_ID: 'ABCDE12345' },
    'APNs needs APNS_KEY_FILE, APNS_TEAM_ID, APNS_BUNDLE_ID as well',
  ],
  [
    'a missing key file',
    { ...apns, APNS_KEY_FILE: 'gone.p8' },
    'APNS_KEY_FILE names a file that cannot be read (ENOENT)',
  ],
  [
    'a key file that is no key',
    { ...apns, APNS_KEY_FILE: 'junk.txt' },
    'APNS_KEY_FILE must be a .p8 file of Apple (a P-256 key in PEM)',
  ],
  [
    'a key id with 9 characters',
    { ...apns, APNS_KEY_ID: 'ABCDE1234' },
    'APNS_KEY_ID must be 10 capital letters or digits',
  ],
  [
    'an account that is no JSON',
    { FCM_CREDENTIALS_FILE: 'junk.txt' },
    'FCM_CREDENTIALS_FILE must be the service account JSON of a Firebase project',
  ],
]
test.each(cases)('%s is a fault', (_name, change, fault) => {
  expect(faultsOf({ ...cluster, ...change })).toEqual([fault])
})

test('all faults are told at once, and none shows a value', () => {
  const secretLike = {
    DATABASE_URL: 'mysql://u:hunter2@db',
    REDIS_URL: 'hunter2',
    WAKELINE_SECRET: 'hunter2',
    PORT: 'hunter2',
  }
  const faults = faultsOf({ ...secretLike, APNS_KEY_FILE: 'junk.txt' })
  expect(faults).toHaveLength(5)
  expect(faults.join()).not.toMatch(/hunter2|junk-content/)
})

test.each(Object.keys(VARIABLES))('%s left empty is like not set', (name) => {
  expect(load({ ...cluster, ...(name in cluster ? {} : { [name]: '' }) }).config).toEqual(
    load(cluster).config,
  )
})

test('shared hosts are names, in any case', () => {
  const { config } = load({ SHARED_APP_HOSTS: 'Push.example.com, gw.example.com,' }, 'embedded')
  expect(config.sharedAppHosts).toEqual(['push.example.com', 'gw.example.com'])
  expect(faultsOf({ ...cluster, SHARED_APP_HOSTS: 'a.example,https://b.example' })).toEqual([
    'SHARED_APP_HOSTS: entry 2 must be a host name or an address',
  ])
})
