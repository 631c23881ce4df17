import type { Readable } from 'node:stream'
import { parseStream } from 'music-metadata'

/** What phones play: the content decides, never what a client calls it. */
export type MediaType = 'audio/wav' | 'audio/ogg'

export interface Recording {
  mediaType: MediaType
  /** Rounded; at least 1. */
  durationSeconds: number
}

/** Uncompressed, or as it went over the line (G.711, RFC 3551 section 4.5.14). */
const WAV_CODECS: readonly string[] = ['PCM', 'ALAW', 'MULAW']

/** What a file says it is. Undefined when it is no recording that phones play. Ends the stream. */
export async function readRecording(file: Readable, size: number): Promise<Recording | undefined> {
  try {
    const { format } = await parseStream(file, { size }, { duration: true, skipCovers: true })
    const { container, codec = '', duration = 0 } = format
    if (!Number.isFinite(duration) || duration <= 0) return undefined
    const durationSeconds = Math.max(1, Math.round(duration))
    if (container === 'WAVE' && WAV_CODECS.includes(codec)) return { mediaType: 'audio/wav', durationSeconds }
    if (container === 'Ogg' && codec === 'Opus') return { mediaType: 'audio/ogg', durationSeconds }
    return undefined
  } catch (error) {
    // The parser fails on what it does not know, by errors of many kinds; those of the storage are about the file.
    if (file.errored) throw error
    return undefined
  } finally {
    file.destroy()
  }
}
