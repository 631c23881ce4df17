import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { type DataDirectory, openDataDirectory } from '../../src/embedded/data-directory.ts'
import { choosePostgresAccount } from '../../src/embedded/postgres-account.ts'
import { findPostgresBinaries } from '../../src/embedded/postgres-binaries.ts'
import { startPostgresServer } from '../../src/embedded/postgres-server.ts'
import { processArguments, processStart } from '../../src/embedded/process-identity.ts'
import { until } from '../support/conditions.ts'
import { query } from '../support/databases.ts'
import { POSTGRES_PROGRAM, startPostgresProgram } from '../support/postgres-program-runner.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'
import { temporaryDataDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

describe('an embedded PostgreSQL', () => {
  test('starts from nothing, keeps data and port over a restart, and stops cleanly', async () => {
    await using place = await temporaryDataDirectory()
    const options = { directory: place.directory, durability: 'safe' } as const
    const first = await startPostgresServer(options)
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
    await first.stop()

    expect(await first.exited).toEqual({ code: 0, signal: null })
    expect(await processStart(first.pid)).toBeUndefined()
    await expect(query(first.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED')

    await using second = await startPostgresServer(options)
    expect(second).toMatchObject({ url: first.url, port: first.port })
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
  })

  test('is durable unless told otherwise, and open to this machine alone', async () => {
    await using place = await temporaryDataDirectory()
    await using server = await startPostgresServer({ directory: place.directory, durability: 'safe' })
    const names = [
      'fsync',
      'synchronous_commit',
      'full_page_writes',
      'listen_addresses',
      'unix_socket_directories',
    ]

    const settings = await query(
      server.adminUrl,
      `SELECT name, setting FROM pg_settings WHERE name IN ('${names.join("','")}')`,
    )
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    })
  })

  test('asks for the password, which only we can read, and gives Wakeline no superuser', async () => {
    await using place = await temporaryDataDirectory()
    await using server = await startPostgresServer({ directory: place.directory, durability: 'fast' })
    const password = await readFile(place.directory.file('postgres-password'), 'utf8')

    expect((await stat(place.directory.file('postgres-password'))).mode & 0o777).toBe(0o600)
    expect((await stat(place.directory.file('pgdata'))).mode & 0o777).toBe(0o700)
    expect(server.url).toContain(password)
    await expect(query(server.url.replace(password, 'guessed'), 'SELECT 1')).rejects.toThrow(
      'password authentication',
    )
    expect(await query(server.url, 'SHOW is_superuser')).toEqual([{ is_superuser: 'off' }])
    expect(await query(server.adminUrl, 'SHOW is_superuser')).toEqual([{ is_superuser: 'on' }])
    expect((await processArguments(server.pid)).join(' ')).not.toContain(password)
  })

  test('says which file to restore when the password was lost', async () => {
    await using place = await temporaryDataDirectory()
    const options = { directory: place.directory, durability: 'fast' } as const
    await (await startPostgresServer(options)).stop()
    const file = place.directory.file('postgres-password')
    await writeFile(file, 'another')

    await expect(startPostgresServer(options)).rejects.toMatchObject(
      startError(`The password in ${file} is not the one this database was made with: restore that file.`),
    )
  })

  test('moves to another port when the remembered one is taken, but not from a port it was told', async () => {
    await using place = await temporaryDataDirectory()
    const options = { directory: place.directory, durability: 'fast' } as const
    const first = await startPostgresServer(options)
    await first.stop()
    await using occupied = createServer().listen(first.port, '127.0.0.1')
    await once(occupied, 'listening')

    await expect(startPostgresServer({ ...options, port: first.port })).rejects.toMatchObject(
      startError(`PostgreSQL cannot listen on 127.0.0.1:${first.port}: another program has that port.`),
    )
    const second = await startPostgresServer(options)
    await second.stop()
    await using third = await startPostgresServer(options)
    expect(second.port).not.toBe(first.port)
    expect(third.port).toBe(second.port)
  })

  test('is made anew when the first start was interrupted', async () => {
    await using place = await temporaryDataDirectory()
    await mkdir(place.directory.file('pgdata.new'))
    await writeFile(join(place.directory.file('pgdata.new'), 'PG_VERSION'), '18\n')

    await using server = await startPostgresServer({ directory: place.directory, durability: 'fast' })
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('tells when it dies by itself', async () => {
    await using place = await temporaryDataDirectory()
    const server = await startPostgresServer({ directory: place.directory, durability: 'fast' })
    process.kill(server.pid, 'SIGKILL')

    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' })
    await server.stop()
  })

  test('can be frozen and thawed', async () => {
    await using server = await startOwnPostgres()
    const client = new Client({ connectionString: server.url })
    await client.connect()
    await server.freeze()
    let answered = false
    const answer = client.query('SELECT 1').then(() => {
      answered = true
    })
    await until(async () => (await stateOf(server.pid)) === 'T', { description: 'the server is stopped' })
    expect(answered).toBe(false)
    await server.thaw()
    await answer
    await client.end()
  })
})

describe('after a crash', () => {
  test.each([
    ['a dead process', () => 2 ** 22 + 1],
    ['a stranger who has the number now', () => process.ppid],
  ])('a pid file that names %s does not stop the start', async (_, pid) => {
    await using place = await temporaryDataDirectory()
    const options = { directory: place.directory, durability: 'safe' } as const
    const killed = await startPostgresServer(options)
    await query(killed.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
    process.kill(killed.pid, 'SIGKILL')
    await killed.exited
    const pidFile = join(place.directory.file('pgdata'), 'postmaster.pid')
    await writeFile(pidFile, (await readFile(pidFile, 'utf8')).replace(String(killed.pid), String(pid())))

    await using server = await startPostgresServer(options)
    expect(await query(server.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
  })

  test('of Wakeline the database stops by itself, and the next start has the data', async () => {
    await using temporary = await temporaryDirectory()
    const path = join(temporary.path, 'data')
    await using killed = await startPostgresProgram([process.execPath, POSTGRES_PROGRAM, path])
    await query(killed.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
    killed.child.kill('SIGKILL')

    await until(async () => !(await processStart(killed.pid)), { description: 'the database has stopped' })
    await using directory = await openDataDirectory(path)
    await using server = await startPostgresServer({ directory, durability: 'safe' })
    expect(await query(server.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
  })

  test('a server that nobody owns any more is stopped first', async () => {
    await using place = await temporaryDataDirectory()
    const options = { directory: place.directory, durability: 'safe' } as const
    await (await startPostgresServer(options)).stop()
    const orphan = await startOrphan(place.directory)

    await using server = await startPostgresServer(options)
    expect(await orphan.exited).toEqual([0, null])
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })
})

describe('a second Wakeline', () => {
  test('is refused while the first one runs', async () => {
    await using temporary = await temporaryDirectory()
    const path = join(temporary.path, 'data')
    await using first = await startPostgresProgram([process.execPath, POSTGRES_PROGRAM, path])

    await expect(openDataDirectory(path)).rejects.toMatchObject(
      startError(`Another Wakeline is using ${path} (pid ${first.child.pid}): stop it first.`),
    )
    expect(await query(first.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })
})

const startError = (message: string) => ({ name: 'StartError', message })

async function stateOf(pid: number): Promise<string | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return /^State:\t(\w)/m.exec(status)?.[1]
}

/** What a system without setpriv leaves behind when Wakeline is killed. */
async function startOrphan(directory: DataDirectory) {
  const cluster = directory.file('pgdata')
  const { postgres } = await findPostgresBinaries()
  const { prefix } = await choosePostgresAccount(cluster, [postgres, directory.path])
  const port = await readFile(directory.file('postgres-port'), 'utf8')
  const quiet = ['-c', 'unix_socket_directories=', '-c', 'listen_addresses=127.0.0.1']
  const [program = '', ...words] = [...prefix, postgres, '-D', cluster, '-p', port, ...quiet]
  const child = spawn(program, words, { stdio: 'ignore', detached: true, cwd: '/' })
  const exited = once(child, 'exit')
  const pidFile = join(cluster, 'postmaster.pid')
  await until(async () => (await readFile(pidFile, 'utf8').catch(() => '')).includes('ready'), {
    description: 'the orphan is ready',
  })
  return { exited }
}
