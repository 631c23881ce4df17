import { hash, randomUUID } from 'node:crypto'

/** Namespace of the call UUIDs that phones get; fixed for ever, or a second push of one call would ring twice. */
const CALL_NAMESPACE = Buffer.from('0b5c6f4e6f4b5d0f9a572f6d1c1f8a11', 'hex')

/**
 * A fresh id that sorts by time of creation (UUID version 7, RFC 9562 section 5.7): new rows go to the end of their index. The
 * random bits are those of `randomUUID`, which fetches them from the system in bulk.
 */
export function newId(): string {
  const time = Date.now().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}

/** The same parts give the same id on every node, also when no store can be asked (UUID version 8, RFC 9562 section 5.8). */
export const derivedId = (...parts: string[]): string => toUuid(hash('sha256', JSON.stringify(parts)), '8')

/** CallKit shows one call per UUID, so it must be the same for every push of one call to one device (UUID version 5). */
export const callUuid = (tenantId: string, callId: string, tokenHash: string): string =>
  toUuid(
    hash('sha1', Buffer.concat([CALL_NAMESPACE, Buffer.from(`${tenantId}\n${callId}\n${tokenHash}`)])),
    '5',
  )

/** The first 128 bits of a digest in hex, with version and variant set (RFC 9562 section 4). */
function toUuid(digest: string, version: '5' | '8'): string {
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-${version}${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}
