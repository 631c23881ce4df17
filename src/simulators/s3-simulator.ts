import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { checkSignature, type S3Account } from './s3-signature.ts'

/** A bucket that is addressed by its path, as MinIO and most others have it. */
export interface S3Simulator extends AsyncDisposable {
  url: string
  bucket: string
  /** By key. */
  objects: Map<string, Buffer>
  /** Uploads in parts that were neither completed nor given up. */
  uploads: Map<string, S3Upload>
  /** What was refused, by S3's own codes. */
  refusals: string[]
  /** Answers the next requests with these before it does anything; 500 and 503 are S3's way to ask for another try. */
  fails: (...statuses: number[]) => void
}
interface S3Upload {
  key: string
  parts: Map<number, Buffer>
}

/** Bytes that a part must have, but for the last: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MIN_PART = 5 * 1_024 * 1_024

interface Answer {
  status: number
  headers?: Record<string, string>
  body?: string | Buffer
}
const failure = (status: number, code: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`,
})
const xml = (body: string): Answer => ({ status: 200, headers: { 'content-type': 'application/xml' }, body })
const etagOf = (content: Buffer): string => `"${createHash('md5').update(content).digest('hex')}"`

/** What of Amazon S3 a storage of files uses; it checks signatures by itself. */
export async function startS3Simulator(account: S3Account, bucket: string): Promise<S3Simulator> {
  const objects: S3Simulator['objects'] = new Map()
  const uploads: S3Simulator['uploads'] = new Map()
  const refusals: string[] = []
  const failing: number[] = []

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const body = await buffer(request)
    const status = failing.shift()
    if (status !== undefined) return failure(status, status === 503 ? 'SlowDown' : 'InternalError')
    const refusal = checkSignature(request, body, account)
    if (refusal) return failure(403, refusal)
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://s3')
    const [, name, ...rest] = pathname.split('/')
    if (name !== bucket) return failure(404, 'NoSuchBucket')
    return act({ objects, uploads }, request, decodeURIComponent(rest.join('/')), searchParams, body)
  }
  const server = createServer((request, response) => {
    answer(request).then(
      (given) => {
        if (given.status >= 400) refusals.push(/<Code>(\w+)/.exec(String(given.body))?.[1] ?? '')
        send(response, given)
      },
      () => response.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bucket,
    objects,
    uploads,
    refusals,
    fails: (...statuses) => void failing.push(...statuses),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function send(response: ServerResponse, { status, headers = {}, body = '' }: Answer): void {
  response.writeHead(status, { 'x-amz-request-id': randomUUID(), ...headers })
  response.end(body)
}

type Store = Pick<S3Simulator, 'objects' | 'uploads'>

function act(
  { objects, uploads }: Store,
  { method, headers }: IncomingMessage,
  key: string,
  query: URLSearchParams,
  body: Buffer,
): Answer {
  if (query.has('uploads') || query.has('uploadId'))
    return multipart({ objects, uploads }, method, key, query, body)
  switch (method) {
    case 'PUT':
      if (headers['content-length'] === undefined) return failure(411, 'MissingContentLength')
      objects.set(key, body)
      return { status: 200, headers: { etag: etagOf(body) } }
    case 'GET':
      return read(objects.get(key), headers.range)
    case 'DELETE':
      objects.delete(key)
      return { status: 204 }
    default:
      return failure(405, 'MethodNotAllowed')
  }
}

function read(content: Buffer | undefined, range: string | undefined): Answer {
  if (!content) return failure(404, 'NoSuchKey')
  const headers = { etag: etagOf(content), 'accept-ranges': 'bytes' }
  if (range === undefined) return { status: 200, headers, body: content }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? []
  const [start, end] = [Number(first), Math.min(Number(last), content.length - 1)]
  if (!(start <= end)) return failure(416, 'InvalidRange')
  const part = { ...headers, 'content-range': `bytes ${start}-${end}/${content.length}` }
  return { status: 206, headers: part, body: content.subarray(start, end + 1) }
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html */
function multipart(
  { objects, uploads }: Store,
  method: string | undefined,
  key: string,
  query: URLSearchParams,
  body: Buffer,
): Answer {
  const id = query.get('uploadId') ?? randomUUID()
  if (method === 'POST' && query.has('uploads')) {
    uploads.set(id, { key, parts: new Map() })
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
  }
  const upload = uploads.get(id)
  if (!upload || upload.key !== key) return failure(404, 'NoSuchUpload')
  if (method === 'PUT') {
    upload.parts.set(Number(query.get('partNumber')), body)
    return { status: 200, headers: { etag: etagOf(body) } }
  }
  uploads.delete(id)
  if (method === 'DELETE') return { status: 204 }
  const named = [...String(body).matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => ({
    number: Number(/<PartNumber>(\d+)/.exec(part)?.[1]),
    etag: /<ETag>(.*?)<\/ETag>/.exec(part)?.[1]?.replaceAll('&quot;', '"'),
  }))
  const parts = named.map(({ number }) => upload.parts.get(number) ?? Buffer.alloc(0))
  const isKnown = named.every(({ etag }, index) => etag === etagOf(parts[index] ?? Buffer.alloc(0)))
  if (named.length === 0 || !isKnown) return failure(400, 'InvalidPart')
  if (parts.slice(0, -1).some(({ length }) => length < MIN_PART)) return failure(400, 'EntityTooSmall')
  objects.set(key, Buffer.concat(parts))
  return xml(`<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`)
}
