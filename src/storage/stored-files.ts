import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { Problem } from '../lib/problem.ts'
import { HOUR } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import { type ByteRange, FileMissing, type FileStorage, type WrittenFile } from './file-storage.ts'
import type { StoredFileStore } from './stored-file-store.ts'

/** Far longer than an upload can take. */
export const LEFTOVER_AFTER_MS = HOUR
/** Files that are erased at the same time. */
const PARALLEL = 8
const BATCH = 100
/** What is beyond waits for the next run: other housekeeping comes after this. */
const MAX_BATCHES = 50
/** Of a box with thousands of messages, the sweep erases the rest. */
const MAX_SOON = 200

export interface StoredFile extends WrittenFile {
  key: string
}

export interface StoredFilesDeps {
  storedFiles: StoredFileStore
  fileStorage: FileStorage
  clock: Clock
  events: Events
}

/** Files with their list. What fails half-way is taken away at once or, after a crash, by the sweep. */
export function createStoredFiles({ storedFiles, fileStorage, clock, events }: StoredFilesDeps) {
  const now = () => new Date(clock.now())

  /** The list says of each of these that it is to go. */
  const erase = async (key: string): Promise<void> => {
    await fileStorage.remove(key)
    await storedFiles.forget(key)
  }

  /** One that cannot be erased keeps none of the others. Returns what went wrong. */
  const eraseAll = async (keys: readonly string[]): Promise<Error[]> => {
    const failures: Error[] = []
    for (let at = 0; at < keys.length; at += PARALLEL) {
      const erased = await Promise.allSettled(keys.slice(at, at + PARALLEL).map(erase))
      for (const each of erased) if (each.status === 'rejected') failures.push(toError(each.reason))
    }
    return failures
  }

  const erasing = new Set<Promise<void>>()
  /** For files that are marked as removed. Nobody waits for it: what is not erased now is erased by the sweep. */
  const eraseSoon = (keys: readonly string[]): void => {
    const work = eraseAll(keys.slice(0, MAX_SOON)).then((failures) => {
      erasing.delete(work)
      for (const failure of failures) events.backgroundError('storage', failure)
    })
    erasing.add(work)
  }

  /** Takes back a file that was written for nothing. Never rejects. */
  const drop = async (tenantId: string, key: string): Promise<void> => {
    try {
      if (await storedFiles.giveUp(tenantId, key, now())) await erase(key)
    } catch (error) {
      events.backgroundError('storage', toError(error))
    }
  }

  return {
    /** Writes a file that goes again after an hour, unless its key is kept by then. */
    async write(tenantId: string, content: Readable): Promise<StoredFile> {
      const key = randomUUID()
      try {
        await storedFiles.announce(key, tenantId, now())
        return { key, ...(await fileStorage.write(key, content)) }
      } catch (error) {
        content.destroy()
        await drop(tenantId, key)
        if (error instanceof Problem) throw error
        throw new Problem('storage_unavailable', { retryAfter: 5, cause: error })
      }
    },

    drop,
    eraseSoon,

    /** Throws `audio_missing` when the file is not there, which only an operator can mend. */
    async read(key: string, range?: ByteRange): Promise<Readable> {
      try {
        return await fileStorage.read(key, range)
      } catch (cause) {
        if (cause instanceof FileMissing) throw new Problem('audio_missing', { cause })
        throw new Problem('storage_unavailable', { retryAfter: 5, cause })
      }
    },

    /** Erases what is marked as removed, and what crashes have left. What the storage cannot do now is tried again the next time. */
    async sweep(): Promise<{ erased: number; failures: readonly Error[] }> {
      await storedFiles.giveUpLeftovers(new Date(clock.now() - LEFTOVER_AFTER_MS), now())
      const failures: Error[] = []
      let looked = 0
      let after: string | undefined
      for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
        const keys = await storedFiles.removed(BATCH, after)
        failures.push(...(await eraseAll(keys)))
        looked += keys.length
        after = keys.at(-1)
        if (keys.length < BATCH) break
      }
      return { erased: looked - failures.length, failures }
    },

    /** Resolves when nothing is being erased. */
    async idle(): Promise<void> {
      await Promise.all(erasing)
    },
  }
}
export type StoredFiles = ReturnType<typeof createStoredFiles>
