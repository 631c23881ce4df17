import { type KeyObject, verify } from 'node:crypto'
import { z } from 'zod'
import { newId } from '../lib/ids.ts'
import { Problem } from '../lib/problem.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/units.ts'
import type { License } from './license.ts'
import { refusalOf } from './license-checks.ts'
import { kidOf, type LicenseSigning } from './license-signing.ts'

/** The file is a JWS in compact form (RFC 7515 section 7.1); this type keeps it apart from every other token (RFC 8725 section 3.11). */
const TYPE = 'wakeline-license+jwt'
const ALGORITHM = 'EdDSA'
const ISSUER = 'wakeline'
/** Clocks of PBXes go wrong by this much. */
const SKEW_MS = 5 * MINUTE

/** How long a file is good when nobody says, and what may be said. */
export const FILE_LIFE = { defaultMs: 30 * DAY, minMs: HOUR, maxMs: 90 * DAY } as const

export interface LicenseFileOptions {
  /** The machine that the file is for; absent: any. */
  fingerprint?: string | undefined
  /** Milliseconds since the epoch. */
  now: number
  lifeMs: number
  /** How long after its end a licence is still good. */
  graceMs: number
}

/**
 * A licence to carry to a PBX that has no way to us. Nobody can call it back, so it ends by itself: after `lifeMs`, or when the
 * licence and its time of grace end. Throws a Problem for a licence that is no good now.
 */
export async function createLicenseFile(
  signing: LicenseSigning,
  license: License & { key?: { prefix: string } },
  { fingerprint, now, lifeMs, graceMs }: LicenseFileOptions,
): Promise<{ file: string; expiresAt: number }> {
  const prefix = license.key?.prefix
  const refusal = refusalOf({ now, graceMs, license: { ...license, key: { prefix: prefix ?? '' } } })
  if (refusal) throw new Problem('license_invalid', { sentence: refusal.hint, code: refusal.code })
  const end = license.expiresAt === undefined ? Number.POSITIVE_INFINITY : license.expiresAt + graceMs
  const exp = toSeconds(Math.min(now + lifeMs, end))
  const claims: z.input<typeof Claims> = {
    iss: ISSUER,
    sub: license.id,
    jti: newId(),
    iat: toSeconds(now),
    exp,
    tier: license.tier,
    max_extensions: license.maxExtensions,
    max_installations: license.maxInstallations ?? null,
    entitlements: [...license.entitlements],
    ...(prefix !== undefined && { key_prefix: prefix }),
    ...(license.expiresAt !== undefined && { license_expires_at: new Date(license.expiresAt).toISOString() }),
    ...(fingerprint !== undefined && { fingerprint }),
  }
  const signed = `${encode({ alg: ALGORITHM, typ: TYPE, kid: signing.kid })}.${encode(claims)}`
  const signature = signing.sign(Buffer.from(signed)).toString('base64url')
  return { file: `${signed}.${signature}`, expiresAt: exp * SECOND }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const toSeconds = (time: number): number => Math.floor(time / SECOND)

/** Nothing else may stand in the header: a key or an address of one in it would be the file vouching for itself. */
const Header = z.strictObject({ alg: z.string(), typ: z.string(), kid: z.string() })

const Claims = z.object({
  iss: z.literal(ISSUER),
  sub: z.uuid(),
  jti: z.uuid(),
  /** Seconds since the epoch (RFC 7519 section 2). */
  iat: z.int(),
  exp: z.int(),
  tier: z.string(),
  max_extensions: z.int(),
  /** null: any number. */
  max_installations: z.int().nullable(),
  entitlements: z.array(z.string()),
  key_prefix: z.string().optional(),
  license_expires_at: z.string().optional(),
  fingerprint: z.string().optional(),
})
export type LicenseClaims = z.output<typeof Claims>

export const FILE_CODES = {
  FILE_MALFORMED: 'this is no licence file, or a part of it is missing',
  ALGORITHM_REFUSED: 'the file does not say that Ed25519 signed it, and nothing else is accepted',
  TYPE_REFUSED: 'this was signed, but not as a licence file',
  KEY_UNKNOWN: 'the file was signed with another key: fetch the public key of the gateway that made it',
  SIGNATURE_INVALID: 'the signature is wrong: the file was altered, or another key signed it',
  FILE_NOT_YET_VALID: 'the file was made in the future: check the clock of this machine',
  FILE_EXPIRED: 'the file has ended: check out a new one',
  FINGERPRINT_REQUIRED: 'the file is for one machine: say the fingerprint of this one',
  FINGERPRINT_MISMATCH: 'the file is for another machine',
} as const
export type FileCode = keyof typeof FILE_CODES

export type FileVerdict =
  | { isValid: true; claims: LicenseClaims }
  | { isValid: false; code: FileCode; hint: string }

/** Judges a file with nothing but the public key: no network, no database. */
export function verifyLicenseFile(
  file: string,
  publicKey: KeyObject,
  { now, fingerprint }: { now: number; fingerprint?: string | undefined },
): FileVerdict {
  const parts = partsOf(file.trim())
  const header = parts && Header.safeParse(parse(parts.header)).data
  if (!parts || !header) return refuse('FILE_MALFORMED')
  if (header.alg !== ALGORITHM) return refuse('ALGORITHM_REFUSED')
  if (header.typ !== TYPE) return refuse('TYPE_REFUSED')
  if (header.kid !== kidOf(publicKey)) return refuse('KEY_UNKNOWN')
  if (!verify(null, Buffer.from(parts.signed), publicKey, parts.signature)) return refuse('SIGNATURE_INVALID')
  const claims = Claims.safeParse(parse(parts.claims)).data
  if (!claims) return refuse('FILE_MALFORMED')
  if (claims.iat * SECOND > now + SKEW_MS) return refuse('FILE_NOT_YET_VALID')
  if (claims.exp * SECOND <= now) return refuse('FILE_EXPIRED')
  if (claims.fingerprint !== undefined && claims.fingerprint !== fingerprint)
    return refuse(fingerprint === undefined ? 'FINGERPRINT_REQUIRED' : 'FINGERPRINT_MISMATCH')
  return { isValid: true, claims }
}

const refuse = (code: FileCode): FileVerdict => ({ isValid: false, code, hint: FILE_CODES[code] })

function partsOf(file: string) {
  const [header, claims, signature, ...more] = file.split('.').map(decode)
  if (!header || !claims || !signature || more.length > 0) return undefined
  return { header, claims, signature, signed: file.slice(0, file.lastIndexOf('.')) }
}

/** Undefined unless it is written in the one way there is: decoders forgive stray letters and bits, a signature must not. */
function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : undefined
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined // no JSON: the schema refuses it
  }
}
