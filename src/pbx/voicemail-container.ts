import { Transform } from 'node:stream'

/**
 * Follows the structure of a recording while its bytes pass: the pieces it consists of must fill the file exactly. A file that
 * was cut off does not, nor does one with an archive or a page behind the sound.
 */
export interface ContainerWalk {
  /** False: this cannot be a recording, whatever follows. */
  push(chunk: Buffer): boolean
  /** Whether the file was complete where it ended. */
  isComplete(): boolean
}

/**
 * RIFF: `RIFF`, size, `WAVE`, and chunks of four letters, size and content, each filled up to an even length.
 * https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
 */
const RIFF_HEADER = 12
const CHUNK_HEADER = 8
/** Ogg: pages of a header of 27 bytes, the lengths of its segments, and these. RFC 3533 section 6. */
const PAGE_HEADER = 27

/** The walk for what the first bytes look like. */
export function walkContainer(): ContainerWalk {
  let walk: ContainerWalk | undefined
  let begin = Buffer.alloc(0)
  return {
    push(chunk) {
      if (walk) return walk.push(chunk)
      begin = Buffer.concat([begin, chunk])
      if (begin.length < 4) return true
      const magic = begin.toString('latin1', 0, 4)
      if (magic === 'RIFF') walk = walkRiff()
      else if (magic === 'OggS') walk = walkOgg()
      return walk?.push(begin) ?? false
    },
    isComplete: () => walk?.isComplete() ?? false,
  }
}

function walkRiff(): ContainerWalk {
  const seen = new Set<string>()
  let left: number | undefined
  const pieces = inPieces((head) => {
    if (left === undefined) {
      if (head.length < RIFF_HEADER) return 'more'
      if (head.toString('latin1', 8, 12) !== 'WAVE') return 'wrong'
      left = head.readUInt32LE(4) - 4
      return { header: RIFF_HEADER, content: 0 }
    }
    if (head.length < CHUNK_HEADER) return 'more'
    const id = head.toString('latin1', 0, 4)
    const size = head.readUInt32LE(4)
    // The last chunk may lack its filling; then the size of the whole does not count it.
    const filled = Math.min(size + (size % 2), Math.max(size, left - CHUNK_HEADER))
    left -= CHUNK_HEADER + filled
    if (!/^[\x20-\x7e]{4}$/.test(id) || left < 0) return 'wrong'
    if (seen.has(id) && (id === 'fmt ' || id === 'data')) return 'wrong'
    seen.add(id)
    return { header: CHUNK_HEADER, content: filled }
  })
  return {
    push: (chunk) => pieces.push(chunk),
    isComplete: () => pieces.isComplete() && left === 0 && seen.has('fmt ') && seen.has('data'),
  }
}

function walkOgg(): ContainerWalk {
  let serial: number | undefined
  let isLast = false
  const pieces = inPieces((head) => {
    if (head.length < PAGE_HEADER) return 'more'
    const segments = head[26] ?? 0
    if (head.length < PAGE_HEADER + segments) return 'more'
    const isFirst = serial === undefined
    serial ??= head.readUInt32LE(14)
    const flags = head[5] ?? 0
    const isPage = head.toString('latin1', 0, 4) === 'OggS' && head[4] === 0
    // One stream, from its first page to its last.
    const isNext = head.readUInt32LE(14) === serial && (flags & FIRST) === (isFirst ? FIRST : 0) && !isLast
    if (!isPage || !isNext) return 'wrong'
    isLast = (flags & LAST) === LAST
    const header = PAGE_HEADER + segments
    return { header, content: head.subarray(PAGE_HEADER, header).reduce((sum, length) => sum + length, 0) }
  })
  return {
    push: (chunk) => pieces.push(chunk),
    isComplete: () => pieces.isComplete() && serial !== undefined,
  }
}
const FIRST = 2
const LAST = 4

/** How long the next piece is, told by its first bytes. */
type ReadHeader = (head: Buffer) => { header: number; content: number } | 'more' | 'wrong'

/**
 * Far more than a recorder makes in ten minutes, be it a page for every fiftieth of a second of the first three; each costs its reader
 * something, however empty it is.
 */
const MAX_PIECES = 10_000

/** Keeps only headers in memory; what they announce is counted. */
function inPieces(read: ReadHeader): ContainerWalk {
  /** The beginning of a header whose end is in the next chunk. */
  let head: Buffer = Buffer.alloc(0)
  let skip = 0
  let pieces = 0
  return {
    push(chunk) {
      // Once per chunk: the pieces within it are looked at where they are.
      let rest = head.length > 0 ? Buffer.concat([head, chunk]) : chunk
      for (;;) {
        const skipped = Math.min(skip, rest.length)
        skip -= skipped
        rest = rest.subarray(skipped)
        head = rest
        if (rest.length === 0) return true
        const piece = read(rest)
        if (piece === 'wrong') return false
        if (piece === 'more') {
          // A copy, because the chunk is somebody else's.
          head = Buffer.from(rest)
          return true
        }
        pieces += 1
        if (pieces > MAX_PIECES) return false
        // What is there of a header counts as skipped with it.
        skip = piece.header + piece.content
      }
    },
    isComplete: () => head.length === 0 && skip === 0,
  }
}

/** Passes a recording on; fails with `refusal()` as soon as it is none, or at its end when it is not whole. */
export function checkContainer(refusal: () => Error): Transform {
  const walk = walkContainer()
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (walk.push(chunk)) done(null, chunk)
      else done(refusal())
    },
    flush(done) {
      done(walk.isComplete() ? null : refusal())
    },
  })
}
