import { randomUUID } from 'node:crypto'
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createDirectoryStorage } from '../../src/storage/directory-storage.ts'
import { FileMissing } from '../../src/storage/file-storage.ts'
import { sound } from '../support/recordings.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** Files in a directory. What all storages have in common is in storage-kinds. */
const stream = (content: Buffer) => Readable.from([content], { objectMode: false })

test('files are ours alone, in sub-directories, complete or not there', async () => {
  await using directory = await temporaryDirectory()
  const root = join(directory.path, 'deep', 'voicemail')
  const storage = createDirectoryStorage(root)
  const key = randomUUID()
  await storage.write(key, stream(sound(1_000)))
  const path = join(root, key.slice(-2), key)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(root)).mode & 0o777).toBe(0o700)
  expect(await readdir(join(root, key.slice(-2)))).toEqual([key])
})

test('a link in the place of a file is no file, and is not written through', async () => {
  await using directory = await temporaryDirectory()
  const storage = createDirectoryStorage(directory.path)
  const key = randomUUID()
  const secret = join(directory.path, 'secret')
  await writeFile(secret, 'a secret')
  const folder = join(directory.path, key.slice(-2))
  await mkdir(folder)
  await symlink(secret, join(folder, key))
  await expect(storage.read(key)).rejects.toThrow(FileMissing)
  await storage.write(key, stream(sound(10)))
  expect(await buffer(await storage.read(key))).toEqual(sound(10))
  expect(
    await buffer(Readable.from([await stat(secret).then(({ size }) => Buffer.alloc(size))])),
  ).toHaveLength(8)
})

test.each([
  '../x',
  '',
  'x',
  '/etc/passwd',
  `${randomUUID()}/..`,
  randomUUID().toUpperCase(),
  `${randomUUID()}\0`,
])('a key that is no UUID reaches no file: %j', async (key) => {
  await using directory = await temporaryDirectory()
  const storage = createDirectoryStorage(join(directory.path, 'voicemail'))
  await expect(storage.write(key, stream(sound(10)))).rejects.toThrow('must be a UUID')
  await expect(storage.read(key)).rejects.toThrow('must be a UUID')
  await expect(storage.remove(key)).rejects.toThrow('must be a UUID')
  expect(await readdir(directory.path)).toEqual([])
})
