import { createHash, createPublicKey, verify } from 'node:crypto'

/** A question and its answer, as a client has them. */
export interface Exchange {
  method: string
  path: string
  nonce: string
  /** About which the question is; empty if it brought none. */
  key: string
  status: number
  headers: Headers
  /** The bytes of the body. */
  text: string
}

const COVERED = ['"@status"', '"content-digest"', '"license-key-digest"', '"@method";req', '"@path";req']

/**
 * What a client has to check, written from RFC 9421 and RFC 9530 alone: undefined for an answer that is proven, or else what is
 * wrong with it.
 */
export function faultOf(answer: Exchange, publicKeyPem: string): string | undefined {
  const input = answer.headers.get('signature-input') ?? ''
  const [, label, parameters, list = ''] = /^([a-z]+)=(\(([^)]*)\);.*)$/.exec(input) ?? []
  if (label === undefined || parameters === undefined) return 'it is not signed'
  const components = list.split(' ')
  for (const needed of COVERED) {
    if (!components.includes(needed)) return `the signature does not cover ${needed}`
  }
  if (/;nonce="([^"]*)"/.exec(parameters)?.[1] !== answer.nonce) return 'it answers another question'
  const key = createPublicKey(publicKeyPem)
  if (/;keyid="([^"]*)"/.exec(parameters)?.[1] !== thumbprint(key)) return 'another key signed it'

  const digest = answer.headers.get('content-digest') ?? ''
  if (digest !== `sha-256=:${createHash('sha256').update(answer.text).digest('base64')}:`)
    return 'the body is not the one that was signed'
  const keyDigest = answer.headers.get('license-key-digest') ?? ''
  if (keyDigest !== `sha-256=:${createHash('sha256').update(answer.key).digest('base64')}:`)
    return 'it is about another key'
  const values: Record<string, string> = {
    '"@status"': String(answer.status),
    '"content-digest"': digest,
    '"license-key-digest"': keyDigest,
    '"@method";req': answer.method,
    '"@path";req': answer.path,
  }
  const lines = components.map((component) => `${component}: ${values[component]}`)
  const base = [...lines, `"@signature-params": ${parameters}`].join('\n')
  const [, signature = ''] = new RegExp(`^${label}=:(.*):$`).exec(answer.headers.get('signature') ?? '') ?? []
  return verify(null, Buffer.from(base), key, Buffer.from(signature, 'base64'))
    ? undefined
    : 'the signature is wrong'
}

function thumbprint(key: ReturnType<typeof createPublicKey>): string {
  const { x } = key.export({ format: 'jwk' })
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url')
}
