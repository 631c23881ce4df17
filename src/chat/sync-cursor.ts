import { timingSafeEqual } from 'node:crypto'
import type { Keyring } from '../lib/keyring.ts'

/** A cursor of another shape gets another number. */
const SHAPE = '1'
/** Characters of hex: 128 bits are more than anybody guesses, and a cursor is in every answer. */
const MAC_LENGTH = 32

/**
 * Up to which of its events an extension has them all, as its clients carry it around. The code ties it to the extension: nobody
 * acknowledges by mistake what was told to somebody else, and nobody makes one up.
 */
export function createSyncCursors({ syncCursorMac }: Pick<Keyring, 'syncCursorMac'>) {
  const macOf = (extensionId: number, text: string): string =>
    syncCursorMac(`${extensionId}.${text}`).slice(0, MAC_LENGTH)
  return {
    of(extensionId: number, seq: number): string {
      const text = `${SHAPE}.${seq}`
      return Buffer.from(`${text}.${macOf(extensionId, text)}`).toString('base64url')
    },

    /** Undefined: it is none that this extension was given. */
    read(extensionId: number, cursor: string): number | undefined {
      const [, text, seq, mac] =
        /^(1\.(\d{1,15}))\.([0-9a-f]{32})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? []
      if (text === undefined || mac === undefined) return undefined
      const isOurs = timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(extensionId, text)))
      return isOurs ? Number(seq) : undefined
    },
  }
}
export type SyncCursors = ReturnType<typeof createSyncCursors>
