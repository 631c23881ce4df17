import { join } from 'node:path'
import type { Reader } from './faults.ts'

/** Where recordings are kept. */
export interface VoicemailConfig {
  readonly directory: string
  /** In place of the directory. */
  readonly bucket?: { readonly name: string; readonly region: string; readonly endpoint?: string }
  /** Per tenant. */
  readonly quotaBytes: number
}

/** What opens the bucket. */
export interface BucketKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const MB = 1_000_000
const SECRET = 'VOICEMAIL_S3_SECRET_ACCESS_KEY'

export function readVoicemail(reader: Reader, dataDirectory: string): VoicemailConfig {
  const name = reader.pattern(
    'VOICEMAIL_S3_BUCKET',
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    'the name of a bucket: 3 to 63 of a-z, 0-9, . and -',
  )
  const endpoint = reader.url('VOICEMAIL_S3_ENDPOINT', ['https:', 'http:'])
  const region = reader.text('VOICEMAIL_S3_REGION') ?? ''
  const directory = reader.text('VOICEMAIL_DIR')
  if (name !== undefined && directory !== undefined) {
    reader.fault('VOICEMAIL_DIR and VOICEMAIL_S3_BUCKET exclude each other')
  }
  return {
    directory: directory ?? join(dataDirectory, 'voicemail'),
    ...(name !== undefined && { bucket: { name, region, ...(endpoint !== undefined && { endpoint }) } }),
    quotaBytes: reader.integer('VOICEMAIL_QUOTA_MB', 0, 1_000_000_000) * MB,
  }
}

/** Keys without a bucket are a bucket that somebody forgot to name. */
export function readBucketKey(reader: Reader): BucketKey | undefined {
  if (reader.text(SECRET) && reader.text(`${SECRET}_FILE`)) {
    return reader.fault(`${SECRET} and ${SECRET}_FILE exclude each other`)
  }
  const accessKeyId = reader.text('VOICEMAIL_S3_ACCESS_KEY_ID')
  const secretAccessKey = reader.text(SECRET) ?? reader.file(`${SECRET}_FILE`)?.trim()
  const bucket = reader.text('VOICEMAIL_S3_BUCKET')
  if (accessKeyId && secretAccessKey && bucket) return { accessKeyId, secretAccessKey }
  if (accessKeyId || secretAccessKey || bucket) {
    reader.fault(`VOICEMAIL_S3_BUCKET, VOICEMAIL_S3_ACCESS_KEY_ID and ${SECRET} belong together`)
  }
  return undefined
}
