import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import type { WrittenFile } from './file-storage.ts'

/** Passes bytes on and keeps their number and hash. */
export function createMeasure(): { stream: Transform; result(): WrittenFile } {
  const hash = createHash('sha256')
  let size = 0
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  return { stream, result: () => ({ size, sha256: hash.digest('hex') }) }
}
