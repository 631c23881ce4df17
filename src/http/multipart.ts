import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import busboy from 'busboy'
import type { z } from 'zod'
import { Problem } from '../lib/problem.ts'

/** A `multipart/form-data` body (RFC 7578): text fields and one file, in any order. */
export interface UploadSpec {
  fields: z.ZodObject
  /** Name of the part that is the file. */
  file: string
  /** How large the file may be. */
  fileBytes: number
}

/** What to do with the file while it comes. */
export interface FileTaker<T> {
  /** Reads the stream to its end. It fails, with a Problem, when the file is cut off or too large. */
  take(file: Readable): Promise<T>
  /** The body turned out to be wrong after the file was taken. */
  undo(taken: T): Promise<void>
}
export type ReceiveUpload = <T>(taker: FileTaker<T>) => Promise<{ fields: Record<string, string>; taken: T }>

/** Longer than any text we take; what is beyond is refused. */
const FIELD_BYTES = 64 * 1_024
const MAX_FIELDS = 20
/** Boundaries, part headers and fields. */
const OVERHEAD_BYTES = 256 * 1_024

/** Streams the file of a body to whoever takes it, and gives back the fields when all of the body was there. */
export const receiveUpload =
  (request: IncomingMessage, spec: UploadSpec | undefined): ReceiveUpload =>
  async <T>({ take, undo }: FileTaker<T>) => {
    if (!spec) throw new Error('the route has no upload')
    const parts = parseParts(request, spec)
    const stored: { file?: Promise<T> } = {}
    parts.onFile((file) => {
      stored.file = take(file)
      // Whoever takes the file may fail first, and then the rest of the body is of no use.
      stored.file.catch(parts.fail)
    })
    const [whole] = await Promise.allSettled([parts.finished])
    const [file] = await Promise.allSettled([stored.file])
    if (stored.file && file.status === 'fulfilled') {
      const taken = file.value as T
      if (whole.status === 'fulfilled') return { fields: parts.fields(), taken }
      await undo(taken)
    }
    if (whole.status === 'rejected') throw whole.reason
    if (file.status === 'rejected') throw file.reason
    throw missing(spec.file)
  }

const missing = (name: string) =>
  new Problem('invalid_request', { sentence: `${name} must be a file part`, field: name })
const cutOff = (cause?: unknown) =>
  new Problem('invalid_request', {
    sentence: 'the upload is incomplete',
    code: 'incomplete_upload',
    ...(cause !== undefined && { cause }),
  })
const tooLarge = (field?: string) => new Problem('body_too_large', field === undefined ? {} : { field })

function parseParts(request: IncomingMessage, spec: UploadSpec) {
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>()
  const fields = new Map<string, string>()
  const known = new Set(Object.keys(spec.fields.shape))
  const parser = openParser(request, spec)
  let file: Readable | undefined
  let taker: (file: Readable) => void = () => undefined
  let received = 0

  /** The first failure counts. The rest of the body is read and thrown away, so that the client gets to read the answer. */
  const fail = (error: unknown): void => {
    reject(error)
    file?.destroy(error as Error)
    request.unpipe(parser)
    parser.destroy()
    request.resume()
  }
  request.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (received > spec.fileBytes + OVERHEAD_BYTES) fail(tooLarge())
  })
  request.once('close', () => {
    if (!request.complete) fail(cutOff())
  })
  parser.on('field', (name, value, { valueTruncated }) => {
    if (!known.has(name)) fail(unknownField(name, spec))
    else if (fields.has(name)) fail(refused(name, `${name} must stand only once`))
    else if (valueTruncated) fail(tooLarge(name))
    fields.set(name, value)
  })
  parser.on('file', (name, stream) => {
    file = stream
    // Failures reach us by `fail`; without a listener they would end the process.
    stream.on('error', () => undefined)
    stream.once('limit', () => fail(tooLarge(spec.file)))
    if (name === spec.file) return taker(stream)
    fail(unknownField(name, spec))
  })
  parser.once('filesLimit', () => fail(refused(spec.file, 'only one file is taken')))
  for (const limit of ['fieldsLimit', 'partsLimit'] as const) {
    parser.once(limit, () => fail(refused(undefined, 'there are too many fields')))
  }
  parser.on('error', (cause) => fail(cutOff(cause)))
  parser.once('finish', resolve)
  return {
    finished,
    fail,
    fields: () => Object.fromEntries(fields),
    onFile(take: (file: Readable) => void) {
      taker = take
      // It may have hung up while its credentials were looked up.
      if (request.destroyed && !request.complete) fail(cutOff())
      else request.pipe(parser)
    },
  }
}

const refused = (field: string | undefined, sentence: string) =>
  new Problem('invalid_request', { sentence, ...(field !== undefined && { field }) })

/** @param name of a part; some have none. */
function unknownField(name: string | undefined, { file }: UploadSpec): Problem {
  if (name === file) return missing(file)
  return refused(name?.slice(0, 100) ?? '', name === undefined ? 'a part has no name' : 'unknown field')
}

function openParser(request: IncomingMessage, { fileBytes }: UploadSpec): busboy.Busboy {
  const { headers } = request
  if (!/^multipart\/form-data *(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new Problem('unsupported_media_type', { sentence: 'content type must be multipart/form-data' })
  }
  if (Number(headers['content-length'] ?? 0) > fileBytes + OVERHEAD_BYTES) throw tooLarge()
  try {
    return busboy({
      headers,
      // The parser calls a file too large that is exactly as large as its limit.
      limits: {
        fileSize: fileBytes + 1,
        fieldSize: FIELD_BYTES,
        fieldNameSize: 100,
        fields: MAX_FIELDS,
        files: 1,
        parts: MAX_FIELDS + 1,
      },
    })
  } catch (cause) {
    throw new Problem('invalid_request', {
      sentence: 'the boundary of the parts is missing or wrong',
      cause,
    })
  }
}
