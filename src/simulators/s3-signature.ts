import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Whom the simulated S3 knows. */
export interface S3Account {
  accessKeyId: string
  secretAccessKey: string
  region: string
}

/** How far a clock may be off: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html */
const SKEW_MS = 15 * 60 * 1_000
/** Headers that must be signed, so that nobody on the way changes them. */
const MUST_BE_SIGNED = ['host', 'x-amz-content-sha256', 'x-amz-date']

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')
const hmac = (key: string | Buffer, content: string): Buffer =>
  createHmac('sha256', key).update(content).digest()

/**
 * What S3 says of a request's signature; undefined when it is right.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function checkSignature(
  request: IncomingMessage,
  body: Buffer,
  account: S3Account,
): string | undefined {
  const { headers } = request
  const given =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    )
  if (!given) return 'AccessDenied'
  const [, keyId, day = '', region, signed = '', signature = ''] = given
  if (keyId !== account.accessKeyId) return 'InvalidAccessKeyId'
  const date = String(headers['x-amz-date'] ?? '')
  if (region !== account.region || !date.startsWith(day)) return 'AuthorizationHeaderMalformed'
  if (Math.abs(Date.now() - parseDate(date)) > SKEW_MS) return 'RequestTimeTooSkewed'
  const payload = String(headers['x-amz-content-sha256'] ?? '')
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(body)) return 'XAmzContentSHA256Mismatch'
  const names = signed.split(';')
  const isComplete = MUST_BE_SIGNED.every((name) => names.includes(name))
  const isSorted = names.join() === names.toSorted().join()
  if (!isComplete || !isSorted) return 'AccessDenied'
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical(request, names, payload))].join('\n')
  const key = [day, account.region, 's3', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${account.secretAccessKey}`,
  )
  const isRight = timingSafeEqual(hmac(key, text), Buffer.from(signature, 'hex'))
  return isRight ? undefined : 'SignatureDoesNotMatch'
}

function canonical(
  { method, url = '', headers }: IncomingMessage,
  names: readonly string[],
  payload: string,
) {
  const [path = '', query = ''] = url.split('?')
  const parameters = query
    .split('&')
    .filter(Boolean)
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .toSorted()
  const lines = names.map(
    (name) =>
      `${name}:${String(headers[name] ?? '')
        .trim()
        .replaceAll(/ +/g, ' ')}\n`,
  )
  return [method, path, parameters.join('&'), lines.join(''), names.join(';'), payload].join('\n')
}

const parseDate = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
