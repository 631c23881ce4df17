import { createHash } from 'node:crypto'
import { stringify, v5 as uuidv5, v7 as uuidv7 } from 'uuid'

/** Namespace of the call UUIDs that phones get; fixed for ever, or a second push of one call would ring twice. */
const CALL_NAMESPACE = '0b5c6f4e-6f4b-5d0f-9a57-2f6d1c1f8a11'

/** A fresh id that sorts by time of creation. */
export const newId = (): string => uuidv7()

/** The same parts give the same id on every node, also when no store can be asked (UUID version 8, RFC 9562 section 5.8). */
export function derivedId(...parts: string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest()
  const bytes = Uint8Array.prototype.slice.call(hash, 0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return stringify(bytes)
}

/** CallKit shows one call per UUID, so it must be the same for every push of one call to one device. */
export const callUuid = (tenantId: string, callId: string, tokenHash: string): string =>
  uuidv5(`${tenantId}\n${callId}\n${tokenHash}`, CALL_NAMESPACE)
