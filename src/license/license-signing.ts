import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { StartError } from '../lib/start-error.ts'

/** What stands before the 32 bytes of an Ed25519 key in PKCS#8 (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A public Ed25519 key as JSON (RFC 8037 section 2). */
export interface PublicJwk {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  kid: string
  alg: 'EdDSA'
  use: 'sig'
}

/** The key that signs licence files and answers; the same on every node. */
export interface LicenseSigning {
  /** Names the key: its JWK thumbprint (RFC 7638), so that anybody can compute it from the key itself. */
  kid: string
  sign(data: Uint8Array): Buffer
  publicJwk(): PublicJwk
  publicKeyPem(): string
}

/**
 * @param pem an Ed25519 key of the operator's own, see LICENSE_SIGNING_KEY_FILE
 * @param seed 32 bytes that make the key when there is none; they derive from the master key
 */
export function createLicenseSigning({
  pem,
  seed,
}: {
  pem?: string | undefined
  seed: Uint8Array
}): LicenseSigning {
  const privateKey =
    pem === undefined
      ? createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
      : createPrivateKey(pem)
  const publicKey = createPublicKey(privateKey)
  const jwk = toJwk(publicKey)
  const spki = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  return {
    kid: jwk.kid,
    sign: (data) => sign(null, data, privateKey),
    publicJwk: () => jwk,
    publicKeyPem: () => spki,
  }
}

/** The name of a public Ed25519 key (RFC 7638 section 3: required members only, in this order, without spaces). */
export const kidOf = (publicKey: KeyObject): string => toJwk(publicKey).kid

/** A public Ed25519 key in PEM. Throws a sentence when it is none; a private key is refused, because nobody should hand it around. */
export function readPublicKey(pem: string): KeyObject {
  const key = pem.includes('PRIVATE KEY') ? undefined : parsePublicKey(pem)
  if (key?.asymmetricKeyType === 'ed25519') return key
  throw new StartError('the public key must be an Ed25519 key in PEM, as GET /v1/license/public-key gives it')
}

function parsePublicKey(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem)
  } catch {
    return undefined // not a key: the caller says so
  }
}

function toJwk(publicKey: KeyObject): PublicJwk {
  const { x = '' } = publicKey.export({ format: 'jwk' })
  const required = JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x })
  const kid = createHash('sha256').update(required).digest('base64url')
  return { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' }
}
