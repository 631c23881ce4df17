import type { IncomingHttpHeaders } from 'node:http'
import rangeParser from 'range-parser'

/** What a client knows the file by. */
export interface FileVersion {
  /** Bytes. */
  size: number
  /** A strong validator, with its quotes. */
  etag: string
  /** Without fractions of a second, which HTTP dates do not have. */
  lastModified: Date
}

/** What of a file to answer with; the last byte is included. */
export type Selection =
  | { status: 200 }
  | { status: 206; start: number; end: number }
  | { status: 304 }
  | { status: 416 }

/**
 * Which part of a file a request is for: RFC 9110 sections 13.1.2, 13.1.3, 13.1.5 and 14.2, in the order of section 13.2.2. Of
 * several ranges the whole file is sent, as a server may; no player asks for more than one.
 */
export function selectBytes(method: string, headers: IncomingHttpHeaders, file: FileVersion): Selection {
  if (isKnown(headers, file)) return { status: 304 }
  const wanted = headers.range
  // Only GET has ranges, and only of bytes.
  if (method !== 'GET' || wanted === undefined || !/^bytes=/i.test(wanted)) return { status: 200 }
  if (!isSameVersion(headers, file)) return { status: 200 }
  const ranges = rangeParser(file.size, wanted)
  if (ranges === MALFORMED) return { status: 200 }
  if (ranges === UNSATISFIABLE) {
    // The parser takes a suffix that is longer than the file for unsatisfiable; it is the whole file (section 14.1.2).
    return LONG_SUFFIX.test(wanted) ? { status: 206, start: 0, end: file.size - 1 } : { status: 416 }
  }
  const [range] = ranges
  if (range === undefined || ranges.length > 1) return { status: 200 }
  return { status: 206, ...range }
}

const UNSATISFIABLE = -1
const MALFORMED = -2
const LONG_SUFFIX = /^bytes=\s*-0*[1-9]\d*\s*$/i

/** The client has this version already. */
function isKnown(headers: IncomingHttpHeaders, { etag, lastModified }: FileVersion): boolean {
  const known = headers['if-none-match']
  if (known !== undefined) {
    const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
    return tags.includes('*') || tags.includes(etag)
  }
  return Date.parse(headers['if-modified-since'] ?? '') >= lastModified.getTime()
}

/** The client goes on with the version that it has begun with; a weak tag does not say that. */
function isSameVersion(headers: IncomingHttpHeaders, { etag, lastModified }: FileVersion): boolean {
  const begun = headers['if-range']
  if (typeof begun !== 'string') return true
  return begun.includes('"') ? begun === etag : Date.parse(begun) === lastModified.getTime()
}
