import type { Keyring } from '../lib/keyring.ts'

/** A cursor of another shape gets another number. */
const SHAPE = 2
/** As many as a block of AES in base64url has. */
const CURSOR = /^[\w-]{22}$/

/**
 * Up to which of its events an extension has them all, as its clients carry it around: one encrypted block. What somebody makes up, or
 * alters, decrypts to noise and not to his own extension; so nobody acknowledges by mistake what was told to somebody else. Every event
 * has one, and a MAC took four times as long.
 */
export function createSyncCursors({ syncCursorBlock }: Pick<Keyring, 'syncCursorBlock'>) {
  const of = (extensionId: number, seq: number): string => {
    const block = Buffer.alloc(16)
    block[0] = SHAPE
    // Our numbers stay below 2^48.
    block.writeUIntBE(extensionId, 2, 6)
    block.writeUIntBE(seq, 10, 6)
    return syncCursorBlock.encrypt(block).toString('base64url')
  }
  return {
    of,

    /** Undefined: it is none that this extension was given. */
    read(extensionId: number, cursor: string): number | undefined {
      if (!CURSOR.test(cursor)) return undefined
      const seq = syncCursorBlock.decrypt(Buffer.from(cursor, 'base64url')).readUIntBE(10, 6)
      return of(extensionId, seq) === cursor ? seq : undefined
    },
  }
}
export type SyncCursors = ReturnType<typeof createSyncCursors>
