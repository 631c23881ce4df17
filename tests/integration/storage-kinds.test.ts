import { createHash, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type S3Simulator, startS3Simulator } from '../../src/simulators/s3-simulator.ts'
import { createBucketStorage } from '../../src/storage/bucket-storage.ts'
import { createDirectoryStorage } from '../../src/storage/directory-storage.ts'
import { FileMissing, type FileStorage } from '../../src/storage/file-storage.ts'
import { until } from '../support/conditions.ts'
import { sound, wav } from '../support/recordings.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { filesBelow, startVoicemail } from '../support/voicemail.ts'

/** Both kinds of storage do the same. */
const account = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY',
  region: 'eu-central-1',
}
const bucket = 'recordings'

interface Opened extends AsyncDisposable {
  storage: FileStorage
  /** How many things there are, finished or not. */
  count(): Promise<number>
}
const kinds: Record<string, () => Promise<Opened>> = {
  async 'a directory'() {
    const directory = await temporaryDirectory()
    const root = join(directory.path, 'voicemail')
    return {
      storage: createDirectoryStorage(root),
      count: async () => (await filesBelow(root)).length,
      [Symbol.asyncDispose]: () => directory.remove(),
    }
  },
  async 'a bucket'() {
    const s3 = await startS3Simulator(account, bucket)
    const storage = createBucketStorage({ name: bucket, region: account.region, endpoint: s3.url }, account)
    return {
      storage,
      count: async () => s3.objects.size + s3.uploads.size,
      async [Symbol.asyncDispose]() {
        storage.close()
        await s3[Symbol.asyncDispose]()
      },
    }
  },
}

const stream = (content: Buffer, step = 100_000) =>
  Readable.from(
    Array.from({ length: Math.ceil(content.length / step) }, (_, i) =>
      content.subarray(i * step, (i + 1) * step),
    ),
    { objectMode: false },
  )

describe.each(Object.entries(kinds))('%s', (_name, open) => {
  test.each([1, 1_000, 5 * 1_024 * 1_024, 9_999_999])('gives back a file of %i bytes', async (size) => {
    await using opened = await open()
    const { storage, count } = opened
    const [key, content] = [randomUUID(), sound(size)]
    const sha256 = createHash('sha256').update(content).digest('hex')
    expect(await storage.write(key, stream(content))).toEqual({ size, sha256 })
    expect((await buffer(await storage.read(key))).equals(content)).toBe(true)
    expect((await buffer(await storage.read(key, { start: 0, end: 0 }))).equals(content.subarray(0, 1))).toBe(
      true,
    )
    const end = Math.min(size - 1, 700)
    const start = Math.floor(end / 2)
    const part = await buffer(await storage.read(key, { start, end }))
    expect(part.equals(content.subarray(start, end + 1))).toBe(true)
    expect(await count()).toBe(1)
    await storage.remove(key)
    expect(await count()).toBe(0)
  })

  test('has no file that was never written, or is gone', async () => {
    await using opened = await open()
    const { storage } = opened
    const key = randomUUID()
    await expect(storage.read(key)).rejects.toThrow(FileMissing)
    await expect(storage.read(key, { start: 0, end: 1 })).rejects.toThrow(FileMissing)
    await storage.remove(key)
    await storage.write(key, stream(sound(10)))
    await storage.remove(key)
    await storage.remove(key)
    await expect(storage.read(key)).rejects.toThrow(FileMissing)
  })

  test.each([100, 6_000_000])('keeps nothing of a file that fails after %i bytes', async (bytes) => {
    await using opened = await open()
    const { storage, count } = opened
    const failing = Readable.from(
      (function* () {
        for (let given = 0; given < bytes; given += 100) yield sound(100)
        throw new Error('the line was cut')
      })(),
      { objectMode: false },
    )
    await expect(storage.write(randomUUID(), failing)).rejects.toThrow('the line was cut')
    expect(await count()).toBe(0)
  })

  test('does not wait for a stream that has failed already', async () => {
    await using opened = await open()
    const failed = stream(sound(10))
    failed.on('error', () => undefined)
    failed.destroy(new Error('the line was cut'))
    await expect(opened.storage.write(randomUUID(), failed)).rejects.toThrow()
    expect(await opened.count()).toBe(0)
  })

  test('refuses a key that is none', async () => {
    await using opened = await open()
    for (const key of ['../x', '', 'x?uploads', randomUUID().toUpperCase()]) {
      await expect(opened.storage.write(key, stream(sound(10)))).rejects.toThrow('must be a UUID')
      await expect(opened.storage.read(key)).rejects.toThrow('must be a UUID')
      await expect(opened.storage.remove(key)).rejects.toThrow('must be a UUID')
    }
    expect(await opened.count()).toBe(0)
  })
})

describe('a bucket', () => {
  const openBucket = (s3: S3Simulator, credentials = account) =>
    createBucketStorage({ name: bucket, region: account.region, endpoint: s3.url }, credentials)

  test('opens only with its key', async () => {
    await using s3 = await startS3Simulator(account, bucket)
    const storage = openBucket(s3, { ...account, secretAccessKey: 'another' })
    await expect(storage.write(randomUUID(), stream(sound(10)))).rejects.toThrow('SignatureDoesNotMatch')
    await expect(storage.read(randomUUID())).rejects.toThrow('SignatureDoesNotMatch')
    const stranger = openBucket(s3, { ...account, accessKeyId: 'AKIDOTHER' })
    await expect(stranger.remove(randomUUID())).rejects.toThrow('InvalidAccessKeyId')
    expect(s3.objects.size).toBe(0)
    storage.close()
    stranger.close()
  })

  test('is asked again when it says that it is busy', async () => {
    await using s3 = await startS3Simulator(account, bucket)
    const storage = openBucket(s3)
    const key = randomUUID()
    s3.fails(503, 500)
    await storage.write(key, stream(sound(1_000)))
    s3.fails(503)
    expect(await buffer(await storage.read(key))).toHaveLength(1_000)
    expect(s3.refusals).toEqual(['SlowDown', 'InternalError', 'SlowDown'])
    storage.close()
  })

  test('keeps voicemail, from the upload to the last byte of its recording', async () => {
    await using s3 = await startS3Simulator(account, bucket)
    await using own = await startVoicemail({
      backend: 'postgres',
      workers: false,
      env: {
        VOICEMAIL_DIR: '',
        VOICEMAIL_S3_BUCKET: bucket,
        VOICEMAIL_S3_ENDPOINT: s3.url,
        VOICEMAIL_S3_REGION: account.region,
        VOICEMAIL_S3_ACCESS_KEY_ID: account.accessKeyId,
        VOICEMAIL_S3_SECRET_ACCESS_KEY: account.secretAccessKey,
      },
    })
    const owner = await own.givenOwner('100')
    await own.box('100', ['100'])
    const recording = wav({ rate: 96_000, seconds: 30 })
    const { status, json } = await own.upload({}, recording)
    expect(status).toBe(201)
    expect((await owner.audio(json.data.id)).bytes.equals(recording)).toBe(true)
    const part = await owner.audio(json.data.id, { range: 'bytes=1000000-1000009' })
    expect(part.bytes.equals(recording.subarray(1_000_000, 1_000_010))).toBe(true)
    expect((await own.upload({}, Buffer.from('PK'))).status).toBe(415)
    expect(s3.objects.size).toBe(1)
    expect(await own.files()).toEqual([])

    s3.fails(...Array(3).fill(503))
    expect((await owner.audio(json.data.id)).status).toBe(503)
    s3.objects.clear()
    const missing = await owner.app('GET', `/voicemail/${json.data.id}/audio`)
    expect(missing.json).toMatchObject({ code: 'audio_missing', error: 'audio file not found' })
    expect((await owner.app('DELETE', `/voicemail/${json.data.id}`)).status).toBe(200)
    // Nobody waits for the bucket.
    await until(async () => (await own.storedFiles()).length === 0, { description: 'the file is erased' })
  })
})
