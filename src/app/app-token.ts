import { SignJWT } from 'jose'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { SECOND } from '../lib/units.ts'

/** What FlowPBX writes, because somebody may check it. */
export const ISSUER = 'flowpbx'
/** Makes ours different from those of FlowPBX: with the same secret, they are still not good here. */
export const AUDIENCE = 'wakeline-app'
export const ALGORITHM = 'HS256'

/** The first part of each token of ours, to the letter: it names no key and no other algorithm. */
export const TOKEN_HEADER = Buffer.from(JSON.stringify({ alg: ALGORITHM, typ: 'JWT' })).toString('base64url')

export interface TokenHolder {
  extensionId: number
  extension: string
  sessionId: string
}

/** Signs tokens of the app, with the claims that FlowPBX gives them and ours beside. */
export const createSignAppToken =
  ({ secret, clock }: { secret: Uint8Array; clock: Clock }) =>
  async (holder: TokenHolder, lifeMs: number): Promise<{ token: string; expiresAt: Date }> => {
    const issuedAt = Math.floor(clock.now() / SECOND)
    const expiresAt = issuedAt + lifeMs / SECOND
    const token = await new SignJWT({
      ext_id: holder.extensionId,
      ext: holder.extension,
      sid: holder.sessionId,
    })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(holder.extension)
      .setAudience(AUDIENCE)
      .setJti(newId())
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(secret)
    return { token, expiresAt: new Date(expiresAt * SECOND) }
  }
export type SignAppToken = ReturnType<typeof createSignAppToken>
