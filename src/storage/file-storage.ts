import type { Readable } from 'node:stream'

/** First and last byte, both included, as HTTP counts them. */
export interface ByteRange {
  start: number
  end: number
}

/** What was written, measured on the way. */
export interface WrittenFile {
  size: number
  /** Lower-case hex. */
  sha256: string
}

/** Keeps files under keys of ours (UUIDs). Whoever reads a file sees all of it or none. */
export interface FileStorage {
  /** Resolves when the file would survive a crash. Rejects with the stream's own error, and then there is no file. */
  write(key: string, content: Readable): Promise<WrittenFile>
  /** Rejects with FileMissing when there is none. Who does not read the stream to its end destroys it. */
  read(key: string, range?: ByteRange): Promise<Readable>
  /** Also resolves when there is none, so that it can be repeated. */
  remove(key: string): Promise<void>
  close(): void
}

/** The storage has no file of this key. */
export class FileMissing extends Error {
  override readonly name = 'FileMissing'
  constructor(key: string, options?: ErrorOptions) {
    super(`there is no file ${key}`, options)
  }
}

const KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Keys are made by us and become paths: whatever is not a UUID is a fault of ours and goes no further. */
export function mustBeKey(key: string): string {
  if (!KEY.test(key)) throw new Error('the key of a file must be a UUID in lower case')
  return key
}
