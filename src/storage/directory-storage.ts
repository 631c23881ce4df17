import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FileMissing, type FileStorage, mustBeKey } from './file-storage.ts'
import { createMeasure } from './measure.ts'

/** A link in the place of a file leads elsewhere, and is no file of ours. */
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants

/**
 * Files in a directory, in sub-directories by the last two digits of their keys: the first ones are a clock. Several nodes need
 * a directory that all of them see.
 */
export function createDirectoryStorage(directory: string): FileStorage {
  const root = resolve(directory)
  const pathOf = (key: string): string => {
    const path = join(root, mustBeKey(key).slice(-2), key)
    if (!path.startsWith(root + sep)) throw new Error('a file must lie in the directory of the storage')
    return path
  }
  return {
    async write(key, content) {
      const path = pathOf(key)
      const draft = `${path}.new`
      try {
        const written = await writeDraft(draft, content)
        await rename(draft, path)
        await syncDirectory(dirname(path))
        return written
      } catch (error) {
        content.destroy()
        await rm(draft, { force: true })
        throw error
      }
    },

    async read(key, range) {
      const file = await openToRead(pathOf(key), key)
      return file.createReadStream({ ...range })
    },

    async remove(key) {
      const path = pathOf(key)
      await rm(`${path}.new`, { force: true })
      await rm(path, { force: true })
    },

    close: () => undefined,
  }
}

/** Only for us to read: these are people's voices. */
async function writeDraft(draft: string, content: Readable) {
  await mkdir(dirname(draft), { recursive: true, mode: 0o700 })
  const file = await open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  const measure = createMeasure()
  try {
    await pipeline(content, measure.stream, (bytes: AsyncIterable<Buffer>) => file.writeFile(bytes))
    await file.sync()
  } finally {
    await file.close()
  }
  return measure.result()
}

/** The name of a file is in its directory, and survives a power cut only with that. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function openToRead(path: string, key: string): Promise<FileHandle> {
  try {
    return await open(path, O_RDONLY | O_NOFOLLOW)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ELOOP') throw new FileMissing(key, { cause })
    throw cause
  }
}
