import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, lchown, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { toError } from '../lib/error.ts'
import { StartError } from '../lib/start-error.ts'
import type { DataDirectory } from './data-directory.ts'
import { POSTGRES_ENVIRONMENT, type PostgresAccount } from './postgres-account.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

const execute = promisify(execFile)

/** Losing what was answered with success is for tests only. */
export type Durability = 'safe' | 'fast'

export const SUPERUSER = 'postgres'

interface ClusterOptions {
  directory: DataDirectory
  binaries: PostgresBinaries
  account: PostgresAccount
  password: string
  durability: Durability
}

export const clusterPath = (directory: DataDirectory): string => directory.file('pgdata')

/** Makes the files of an empty database server, once. */
export async function ensureCluster(options: ClusterOptions): Promise<void> {
  const { directory, account } = options
  const path = clusterPath(directory)
  if (existsSync(path)) return giveAway(path, account)

  // Built aside and renamed when it is complete: an interrupted first start leaves nothing that looks finished.
  const draft = directory.file('pgdata.new')
  const passwordFile = directory.file('postgres-password.initdb')
  await rm(draft, { recursive: true, force: true })
  await rm(passwordFile, { force: true })
  try {
    await mkdir(draft, { mode: 0o700 })
    await writeFile(passwordFile, options.password, { mode: 0o600 })
    if (account.owner) {
      await chown(draft, account.owner.uid, account.owner.gid)
      await chown(passwordFile, account.owner.uid, account.owner.gid)
    }
    await initialise(draft, passwordFile, options)
  } finally {
    await rm(passwordFile, { force: true })
  }
  await rename(draft, path)
}

async function initialise(draft: string, passwordFile: string, options: ClusterOptions): Promise<void> {
  const { binaries, account, durability } = options
  const initdb = (...words: string[]) => {
    const [program = '', ...rest] = [...account.prefix, binaries.initdb, '-D', draft, ...words]
    return execute(program, rest, { env: POSTGRES_ENVIRONMENT, cwd: '/' })
  }
  try {
    const login = ['-U', SUPERUSER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
    await initdb(...login, '-E', 'UTF8', '--locale=C', '--no-instructions', '--no-sync')
    // All at once at the end is five times faster than initdb's own way, and as safe.
    if (durability === 'safe') await initdb('--sync-only')
  } catch (cause) {
    const said = toError(cause).message.trim().split('\n').at(-1)
    throw new StartError(`PostgreSQL could not make its files in ${draft}: ${said}`, { cause })
  }
}

/** Files restored from a backup by root belong to root; the server's account could not open them. */
async function giveAway(path: string, { owner }: PostgresAccount): Promise<void> {
  if (!owner || (await stat(path)).uid === owner.uid) return
  // The directory comes last: its owner tells the next start that all else is done.
  for (const name of await readdir(path, { recursive: true })) {
    await lchown(join(path, name), owner.uid, owner.gid)
  }
  await chown(path, owner.uid, owner.gid)
}
