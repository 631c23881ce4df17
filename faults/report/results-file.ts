import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commitName } from '../../bench/report/results-file.ts'

const DIRECTORY = join(import.meta.dirname, '../results')

/**
 * Keeps everything that was seen under the date and the commit. @returns the file
 *
 * @param part names the rows when it was not all of them, which must not replace a whole result
 */
export async function writeResults(results: object, part: string): Promise<string> {
  const date = new Date().toISOString().slice(0, 10)
  const commit = commitName()
  const path = `${DIRECTORY}/${date}-${commit}${part && `-${part}`}.json`
  await mkdir(DIRECTORY, { recursive: true })
  await writeFile(path, `${JSON.stringify({ date, commit, ...results }, null, 2)}\n`)
  return path
}
