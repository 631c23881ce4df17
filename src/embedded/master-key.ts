import { randomBytes } from 'node:crypto'
import { StartError } from '../lib/start-error.ts'
import type { DataDirectory } from './data-directory.ts'

const FILE = 'secret'
const BYTES = 32

/** The secret that all keys at rest derive from, made at the first start. Without it the database cannot be read. */
export async function keptMasterKey(directory: DataDirectory): Promise<Uint8Array> {
  const hex = (await directory.secret(FILE, () => randomBytes(BYTES).toString('hex'))).trim()
  if (/^[0-9a-f]{64}$/i.test(hex)) return Buffer.from(hex, 'hex')
  throw new StartError(
    `${directory.file(FILE)} is not the 64 hex digits that Wakeline wrote: restore that file.`,
  )
}
