import { chmod, chown, mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { choosePostgresAccount } from '../../src/embedded/postgres-account.ts'
import { startPostgresServer } from '../../src/embedded/postgres-server.ts'
import { query } from '../support/databases.ts'
import { POSTGRES_PROGRAM, startPostgresProgram } from '../support/postgres-program-runner.ts'
import { temporaryDataDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const NOBODY = 65_534

/** Only root can become somebody else; a normal user has one thing to see. */
if (process.getuid?.() === 0) describe('the account of an embedded PostgreSQL, for root', asRoot)
else test('the account of an embedded PostgreSQL is that of the normal user', asUser)

async function asUser() {
  await using place = await temporaryDataDirectory()
  await using server = await startPostgresServer({ directory: place.directory, durability: 'fast' })
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
  expect(status).toMatch(new RegExp(`^Uid:\\t${process.getuid?.()}\\t`, 'm'))
}

function asRoot() {
  test('is another one for root, and may read no more than others', async () => {
    await using place = await temporaryDataDirectory()
    await using server = await startPostgresServer({ directory: place.directory, durability: 'fast' })

    const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\t(?!0\t)/m)
    expect(status).toMatch(/^Groups:\t\s*$/m)
    expect((await stat(place.directory.file('pgdata'))).uid).not.toBe(0)
    expect((await stat(place.directory.path)).uid).toBe(0)
  })

  test('reaches its files below a directory that only root may enter', async () => {
    await using temporary = await temporaryDirectory({ mode: 0o700 })
    await using directory = await openDataDirectory(join(temporary.path, 'data'))
    await using server = await startPostgresServer({ directory, durability: 'fast' })

    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\t(?!0\t)/m)
    // The second bit is CAP_DAC_READ_SEARCH: reading, not writing, and nothing else of what root may do.
    expect(status).toMatch(/^CapEff:\t0{15}4$/m)
  })

  test('stays the one the files were made for, and takes back what root restored', async () => {
    await using place = await temporaryDataDirectory()
    const options = { directory: place.directory, durability: 'fast' } as const
    await (await startPostgresServer(options)).stop()
    const cluster = place.directory.file('pgdata')
    await chown(cluster, 0, 0)
    await chown(join(cluster, 'PG_VERSION'), 0, 0)
    await chmod(join(cluster, 'PG_VERSION'), 0o600)

    await using server = await startPostgresServer(options)
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect((await stat(cluster)).uid).not.toBe(0)
  })

  test('is its own for a normal user, who is told when the files are not his', async () => {
    await using temporary = await temporaryDirectory()
    const path = join(temporary.path, 'data')
    await mkdir(path, { mode: 0o700 })
    await chown(path, NOBODY, NOBODY)
    // This checkout may lie in a directory that only root may enter.
    const { prefix } = await choosePostgresAccount(path, [process.execPath, dirname(POSTGRES_PROGRAM), path])
    const asNobody = [...prefix, process.execPath, POSTGRES_PROGRAM]
    {
      await using server = await startPostgresProgram([...asNobody, path])
      expect(await readFile(`/proc/${server.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t/m)
      expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    }
    await chown(join(path, 'pgdata'), 1, 1)
    await expect(startPostgresProgram([...asNobody, path])).rejects.toThrow(
      'belongs to user 1, but Wakeline runs as user 65534',
    )
  })
}
