import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const DIRECTORY = fileURLToPath(new URL('../results', import.meta.url))

/**
 * Keeps everything that was seen under the date and the commit. @returns the file
 *
 * @param part names the rows when not all of them were measured, which must not replace a whole result
 */
export async function writeResults(results: object, part: string): Promise<string> {
  const date = new Date().toISOString().slice(0, 10)
  const commit = commitName()
  const path = `${DIRECTORY}/${date}-${commit}${part && `-${part}`}.json`
  await mkdir(DIRECTORY, { recursive: true })
  await writeFile(path, `${JSON.stringify({ date, commit, ...results }, null, 2)}\n`)
  return path
}

export function commitName(): string {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio }).trim()
  } catch {
    return 'no-commit' // not a clone
  }
}
