import { loadConfig } from '../../src/config/config.ts'
import { ConfigError } from '../../src/config/faults.ts'

/** Where recordings go, as the environment says it. */
const readFile = (path: string) => {
  if (path === '/run/s3') return 'file-secret\n'
  throw Object.assign(new Error('gone'), { code: 'ENOENT' })
}
const load = (env: Record<string, string>) => loadConfig(env, 'embedded', readFile)
const faultsOf = (env: Record<string, string>) => {
  try {
    load(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}
const s3 = {
  VOICEMAIL_S3_BUCKET: 'recordings',
  VOICEMAIL_S3_ACCESS_KEY_ID: 'AKID',
  VOICEMAIL_S3_SECRET_ACCESS_KEY: 'canary-secret',
}

test('they go below the data directory, up to a gigabyte of each tenant', () => {
  expect(load({ DATA_DIR: '/var/lib/wakeline' }).config.voicemail).toEqual({
    directory: '/var/lib/wakeline/voicemail',
    quotaBytes: 1_024_000_000,
  })
  expect(load({ VOICEMAIL_DIR: '/mnt/voice', VOICEMAIL_QUOTA_MB: '5' }).config.voicemail).toEqual({
    directory: '/mnt/voice',
    quotaBytes: 5_000_000,
  })
})

test('or into a bucket, whose secret is no part of what may be logged', () => {
  const { config, secrets } = load({ ...s3, VOICEMAIL_S3_ENDPOINT: 'https://minio.example:9000' })
  expect(config.voicemail.bucket).toEqual({
    name: 'recordings',
    region: 'us-east-1',
    endpoint: 'https://minio.example:9000',
  })
  expect(secrets.voicemailBucketKey).toEqual({ accessKeyId: 'AKID', secretAccessKey: 'canary-secret' })
  expect(JSON.stringify(config)).not.toContain('canary-secret')
  const { VOICEMAIL_S3_SECRET_ACCESS_KEY: _, ...rest } = s3
  const fromFile = load({ ...rest, VOICEMAIL_S3_SECRET_ACCESS_KEY_FILE: '/run/s3' })
  expect(fromFile.secrets.voicemailBucketKey?.secretAccessKey).toBe('file-secret')
})

test.each<[string, Record<string, string>, string]>([
  [
    'a directory and a bucket',
    { ...s3, VOICEMAIL_DIR: '/x' },
    'VOICEMAIL_DIR and VOICEMAIL_S3_BUCKET exclude',
  ],
  ['a bucket without a key', { VOICEMAIL_S3_BUCKET: 'recordings' }, 'belong together'],
  ['a key without a bucket', { VOICEMAIL_S3_ACCESS_KEY_ID: 'AKID' }, 'belong together'],
  ['a bucket of capitals', { ...s3, VOICEMAIL_S3_BUCKET: 'Recordings' }, 'VOICEMAIL_S3_BUCKET must be'],
  ['no URL', { ...s3, VOICEMAIL_S3_ENDPOINT: 'minio' }, 'VOICEMAIL_S3_ENDPOINT must be a URL'],
  ['two secrets', { ...s3, VOICEMAIL_S3_SECRET_ACCESS_KEY_FILE: '/run/s3' }, 'exclude each other'],
  ['no number', { VOICEMAIL_QUOTA_MB: 'much' }, 'VOICEMAIL_QUOTA_MB must be a whole number'],
])('%s is a fault, told without the secret', (_name, env, text) => {
  const faults = faultsOf(env)
  expect(faults.join()).toContain(text)
  expect(faults.join()).not.toContain('canary-secret')
})
