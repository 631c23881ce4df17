import { spawnSync } from 'node:child_process'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { StartError } from '../../src/lib/start-error.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const modeOf = async (path: string) => (await stat(path)).mode & 0o777
const startError = (message: string) => ({ name: 'StartError', message })
const neverCreated = () => {
  throw new Error('the secret exists already')
}

describe('a data directory', () => {
  test('is created closed to others: for root they may only walk through it', async () => {
    await using temporary = await temporaryDirectory()
    const path = join(temporary.path, 'deep', 'data')
    await using directory = await openDataDirectory(path)

    expect(directory.path).toBe(path)
    expect(await modeOf(path)).toBe(process.getuid?.() === 0 ? 0o711 : 0o700)
  })

  test('is refused by name when it cannot be made', async () => {
    await using temporary = await temporaryDirectory()
    await writeFile(join(temporary.path, 'file'), '')
    const path = join(temporary.path, 'file', 'data')

    await expect(openDataDirectory(path)).rejects.toMatchObject(
      startError(`${path} cannot be created (ENOTDIR).`),
    )
  })
})

describe('the lock of a data directory', () => {
  test('is held by one and free again after the release', async () => {
    await using temporary = await temporaryDirectory()
    const first = await openDataDirectory(temporary.path)
    const refusal = `Another Wakeline is using ${temporary.path} (pid ${process.pid}): stop it first.`

    await expect(openDataDirectory(temporary.path)).rejects.toMatchObject(startError(refusal))
    await first.release()
    await using second = await openDataDirectory(temporary.path)
    // A late second release must not open what somebody else has by now.
    await first.release()
    await expect(openDataDirectory(second.path)).rejects.toThrow(refusal)
  })

  test('goes to exactly one of many who ask at once, also when a dead one left it behind', async () => {
    await using temporary = await temporaryDirectory()
    await writeFile(join(temporary.path, 'wakeline.lock'), JSON.stringify({ pid: endedPid(), start: '1' }))

    const attempts = Array.from({ length: 20 }, () => openDataDirectory(temporary.path))
    const settled = await Promise.allSettled(attempts)
    const opened = settled.filter((result) => result.status === 'fulfilled')
    expect(opened).toHaveLength(1)
    await opened[0]?.value.release()
  })

  test.each([
    ['a process that ended', () => JSON.stringify({ pid: endedPid(), start: '1' })],
    ['a process whose number somebody else has now', () => JSON.stringify({ pid: process.pid, start: '1' })],
    ['nobody: the file is not ours', () => 'garbage'],
    ['nobody: the file is empty', () => ''],
  ])('is taken over from %s', async (_, content) => {
    await using temporary = await temporaryDirectory()
    const lock = join(temporary.path, 'wakeline.lock')
    await writeFile(lock, content())

    await using _directory = await openDataDirectory(temporary.path)
    expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid })
  })

  test('is taken over although a take-over was interrupted', async () => {
    await using temporary = await temporaryDirectory()
    const dead = JSON.stringify({ pid: endedPid(), start: '1' })
    await writeFile(join(temporary.path, 'wakeline.lock'), dead)
    await writeFile(join(temporary.path, 'wakeline.lock.takeover'), dead)

    await using directory = await openDataDirectory(temporary.path)
    await expect(openDataDirectory(directory.path)).rejects.toThrow(StartError)
  })
})

describe('a secret in a data directory', () => {
  test('is made once, readable by us alone', async () => {
    await using temporary = await temporaryDirectory()
    {
      await using directory = await openDataDirectory(temporary.path)
      expect(await directory.secret('key', () => 'made')).toBe('made')
    }
    await using directory = await openDataDirectory(temporary.path)
    expect(await directory.secret('key', neverCreated)).toBe('made')
    expect(await modeOf(directory.file('key'))).toBe(0o600)
  })

  test('is refused when others can read it', async () => {
    await using temporary = await temporaryDirectory()
    await using directory = await openDataDirectory(temporary.path)
    await directory.secret('key', () => 'made')
    await chmod(directory.file('key'), 0o640)

    const path = directory.file('key')
    const refusal = `${path} is a secret that others on this machine can read: run chmod 600 ${path}`
    await expect(directory.secret('key', neverCreated)).rejects.toMatchObject(startError(refusal))
  })

  test('is never empty', async () => {
    await using temporary = await temporaryDirectory()
    await using directory = await openDataDirectory(temporary.path)
    await writeFile(directory.file('key'), '', { mode: 0o600 })

    await expect(directory.secret('key', neverCreated)).rejects.toThrow('is empty')
  })
})

function endedPid(): number {
  return spawnSync('true').pid
}
