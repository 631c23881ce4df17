import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDataDirectory } from '../../src/embedded/data-directory.ts'
import { guardDirectory } from './guard.ts'

export interface TemporaryDirectory extends AsyncDisposable {
  path: string
  remove(): Promise<void>
}

/** A fresh directory that other accounts may walk through, as they may through any usual one. */
export async function temporaryDirectory({ mode = 0o711 } = {}): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'wakeline-test-'))
  const unguard = guardDirectory(path)
  await chmod(path, mode)
  const remove = async () => {
    await rm(path, { recursive: true, force: true, maxRetries: 5 })
    unguard()
  }
  return { path, remove, [Symbol.asyncDispose]: remove }
}

/** A data directory as the product opens it, gone afterwards. */
export async function temporaryDataDirectory() {
  await using opened = new AsyncDisposableStack()
  const temporary = opened.use(await temporaryDirectory())
  const directory = opened.use(await openDataDirectory(join(temporary.path, 'data')))
  const all = opened.move()
  return { directory, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
