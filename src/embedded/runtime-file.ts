import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { processStart } from './process-identity.ts'

const Runtime = z.object({
  pid: z.int(),
  /** When that process started: a number alone is given to somebody else after a crash. */
  started: z.string(),
  url: z.string(),
  pbx_key: z.string().optional(),
  simulators_url: z.string().optional(),
})

/** What another program on this machine needs to use a running `npm start`. */
export interface RuntimeFacts {
  url: string
  pbxKey?: string
  simulatorsUrl?: string
}

const NAME = 'runtime.json'

/** Readable by its owner only. @returns What takes the file away again. */
export async function writeRuntimeFile(directory: string, facts: RuntimeFacts): Promise<() => Promise<void>> {
  const path = join(directory, NAME)
  const content: z.output<typeof Runtime> = {
    pid: process.pid,
    started: (await processStart(process.pid)) ?? '',
    url: facts.url,
    ...(facts.pbxKey !== undefined && { pbx_key: facts.pbxKey }),
    ...(facts.simulatorsUrl !== undefined && { simulators_url: facts.simulatorsUrl }),
  }
  // A file that is there already keeps its mode, so it is replaced and not overwritten.
  const draft = `${path}.new`
  await rm(draft, { force: true })
  await writeFile(draft, JSON.stringify(content), { mode: 0o600, flag: 'wx' })
  await rename(draft, path)
  return () => rm(path, { force: true })
}

/** The Wakeline that runs on the directory now; undefined when there is none. */
export async function readRuntimeFile(directory: string): Promise<RuntimeFacts | undefined> {
  const text = await readFile(join(directory, NAME), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const { pid, started, url, pbx_key, simulators_url } = Runtime.parse(JSON.parse(text))
  if ((await processStart(pid)) !== started) return undefined
  return {
    url,
    ...(pbx_key !== undefined && { pbxKey: pbx_key }),
    ...(simulators_url !== undefined && { simulatorsUrl: simulators_url }),
  }
}
