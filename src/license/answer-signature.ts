import { hash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import { SECOND } from '../lib/units.ts'
import type { LicenseSigning } from './license-signing.ts'

/** What a request brings to get a signed answer: its own letters, so that an old answer is none to it. */
export const NONCE_PATTERN = /^[A-Za-z0-9_-]{8,128}$/
/** The name of the signature in its two headers. */
const LABEL = 'wakeline'

/**
 * Signs answers to requests that bring a `nonce`, so that nobody on the way can say "revoked", or an old "valid": HTTP Message
 * Signatures (RFC 9421) over the status, the digest of the body (RFC 9530), what was asked, and the digest of the key that it was
 * asked about: an answer about one key is none about another. Refusals are signed, too.
 */
export const createAnswerSigner =
  (signing: LicenseSigning, clock: Clock) =>
  (
    { method, path, body, query, key }: SignedQuestion,
    { status, text }: { status: number; text: string },
  ): Record<string, string> => {
    const nonce = nonceOf(body) ?? nonceOf(query)
    if (nonce === undefined) return {}
    const digest = digestOf(text)
    const keyDigest = digestOf(key)
    const created = Math.floor(clock.now() / SECOND)
    const parameters =
      `("@status" "content-digest" "license-key-digest" "@method";req "@path";req)` +
      `;created=${created};keyid="${signing.kid}";nonce="${nonce}";alg="ed25519"`
    // RFC 9421 section 2.5, line for line in the order of the list.
    const base = [
      `"@status": ${status}`,
      `"content-digest": ${digest}`,
      `"license-key-digest": ${keyDigest}`,
      `"@method";req: ${method}`,
      `"@path";req: ${path}`,
      `"@signature-params": ${parameters}`,
    ].join('\n')
    return {
      'Content-Digest': digest,
      'License-Key-Digest': keyDigest,
      'Signature-Input': `${LABEL}=${parameters}`,
      Signature: `${LABEL}=:${signing.sign(Buffer.from(base)).toString('base64')}:`,
    }
  }

export type SignAnswer = ReturnType<typeof createAnswerSigner>

export interface SignedQuestion {
  method: string
  path: string
  body: unknown
  query: unknown
  /** As it was sent; empty when there was none. */
  key: string
}

const digestOf = (text: string): string => `sha-256=:${hash('sha256', text, 'base64')}:`

/** A nonce that is none is left to the schema of the route, and its refusal goes out unsigned. */
function nonceOf(part: unknown): string | undefined {
  const nonce = (part as { nonce?: unknown } | null | undefined)?.nonce
  return typeof nonce === 'string' && NONCE_PATTERN.test(nonce) ? nonce : undefined
}
