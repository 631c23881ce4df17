import type { Keyring } from '../lib/keyring.ts'
import type { Push } from './push.ts'

/** A sealed push opens only as the push it was made for. */
const contextOf = (pushId: string): string => `push:${pushId}`

/** The whole push, encrypted: what waits in a queue or a table can be read by others. */
export const sealPush = (keyring: Keyring, push: Push): string =>
  keyring.seal(JSON.stringify(push), contextOf(push.id))

/** Throws for a box that nobody of ours made for this push: altered, moved, or sealed with another secret. */
export function openPush(keyring: Keyring, sealed: string, pushId: string): Push {
  return JSON.parse(keyring.open(sealed, contextOf(pushId))) as Push
}
