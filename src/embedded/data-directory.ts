import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { StartError } from '../lib/start-error.ts'
import { tryLock } from './lock-file.ts'

/** The one directory an embedded Wakeline keeps everything in. Who has this value has the directory's lock. */
export interface DataDirectory extends AsyncDisposable {
  readonly path: string
  file(name: string): string
  /** The text of a file only we may read; made by `create` the first time. */
  secret(name: string, create: () => string): Promise<string>
  release(): Promise<void>
}

export async function openDataDirectory(directory: string): Promise<DataDirectory> {
  const path = resolve(directory)
  await createDirectory(path)
  const lock = await tryLock(join(path, 'wakeline.lock')).catch(refuse(`${path} cannot be written to`))
  if (!lock.held) throw new StartError(`Another Wakeline is using ${path} (pid ${lock.pid}): stop it first.`)

  let released: Promise<void> | undefined
  const release = () => {
    released ??= lock.release()
    return released
  }
  return {
    path,
    file: (name) => join(path, name),
    secret: (name, create) => readOrCreateSecret(join(path, name), create),
    release,
    [Symbol.asyncDispose]: release,
  }
}

/**
 * For root the directory may be walked through but not listed: PostgreSQL then runs under another account and has
 * to reach its own part. Letting it pass costs nothing, since all that is secret here is 0600; the alternative
 * would be to let the database server read every file of the machine.
 */
async function createDirectory(path: string): Promise<void> {
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700
  await mkdir(path, { recursive: true, mode }).catch(refuse(`${path} cannot be created`))
}

async function readOrCreateSecret(path: string, create: () => string): Promise<string> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    return refuse(`${path} cannot be read`)(error)
  })
  if (!found) return createSecret(path, create())
  if (found.mode & 0o077) {
    throw new StartError(`${path} is a secret that others on this machine can read: run chmod 600 ${path}`)
  }
  const text = await readFile(path, 'utf8').catch(refuse(`${path} cannot be read`))
  if (text === '') throw new StartError(`${path} is empty: restore it from a backup, or remove it.`)
  return text
}

/** Complete or absent, also after a power cut: a half-written password would lock the operator out. */
async function createSecret(path: string, text: string): Promise<string> {
  const draft = `${path}.new`
  await rm(draft, { force: true })
  const file = await open(draft, 'wx', 0o600).catch(refuse(`${path} cannot be written`))
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  return text
}

const refuse =
  (what: string) =>
  (error: NodeJS.ErrnoException): never => {
    throw new StartError(`${what} (${error.code ?? error.message}).`, { cause: error })
  }
