import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { DeleteObjectCommand, GetObjectCommand, NoSuchKey, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { SECOND } from '../lib/units.ts'
import { FileMissing, type FileStorage, mustBeKey } from './file-storage.ts'
import { createMeasure } from './measure.ts'

export interface Bucket {
  name: string
  region: string
  /** Absent: Amazon's own. */
  endpoint?: string
}
export interface BucketCredentials {
  accessKeyId: string
  secretAccessKey: string
}

/** A part of an upload is kept in memory until it is sent; S3 takes none that are smaller, except the last. */
const PART_BYTES = 5 * 1_024 * 1_024
/** Somebody waits for the answer. */
const REQUEST_MS = 20 * SECOND
const CONNECT_MS = 5 * SECOND

/**
 * Objects below `voicemail/` of an S3 bucket. An upload that a crash ends in the middle of its parts stays invisible at S3 until
 * the bucket's own rule removes it (`AbortIncompleteMultipartUpload`).
 */
export function createBucketStorage(bucket: Bucket, credentials: BucketCredentials): FileStorage {
  const client = new S3Client({
    region: bucket.region,
    credentials: { ...credentials },
    ...(bucket.endpoint !== undefined && { endpoint: bucket.endpoint }),
    // What speaks like S3 seldom has a host name for each bucket.
    forcePathStyle: bucket.endpoint !== undefined,
    // Nor the checksums that Amazon has added since.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS },
  })
  const place = (key: string) => ({ Bucket: bucket.name, Key: `voicemail/${mustBeKey(key)}` })
  return {
    async write(key, content) {
      const measure = createMeasure()
      const upload = new Upload({
        client,
        params: { ...place(key), Body: measure.stream },
        partSize: PART_BYTES,
        queueSize: 1,
      })
      const uploaded = upload.done().catch((error: unknown) => {
        measure.stream.destroy()
        throw error
      })
      // Both to their ends, or parts would come in after the upload was given up. The stream may have failed already.
      const [passed, stored] = await Promise.allSettled([pipeline(content, measure.stream), uploaded])
      // Each fails when the other does: the bucket's own failure leaves the stream only cut off.
      const isCut = passed.status === 'rejected' && passed.reason.code !== 'ERR_STREAM_PREMATURE_CLOSE'
      if (isCut) throw passed.reason
      if (stored.status === 'rejected') throw stored.reason
      return measure.result()
    },

    async read(key, range) {
      try {
        const { Body } = await client.send(
          new GetObjectCommand({
            ...place(key),
            ...(range && { Range: `bytes=${range.start}-${range.end}` }),
          }),
        )
        // In Node.js it is always one: https://github.com/aws/aws-sdk-js-v3#streams
        return Body as Readable
      } catch (error) {
        if (error instanceof NoSuchKey) throw new FileMissing(key, { cause: error })
        throw error
      }
    },

    async remove(key) {
      await client.send(new DeleteObjectCommand(place(key)))
    },

    close: () => client.destroy(),
  }
}
