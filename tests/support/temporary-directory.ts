import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
