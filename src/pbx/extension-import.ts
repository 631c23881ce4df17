import { randomBytes } from 'node:crypto'
import type { ExtensionStore } from '../devices/extension-store.ts'
import type { CsvLine } from './extension-csv.ts'
import { type NewExtension, noRoom, type ProvisionExtensions } from './extension-provisioning.ts'

export interface ImportDeps {
  extensions: Pick<ExtensionStore, 'passwordHashes'>
  provisionExtensions: ProvisionExtensions
}

/** What became of a line. */
export interface ImportedLine {
  line: number
  number: string
  status: 'created' | 'updated' | 'unchanged' | 'refused'
  reason?: string
}

/** 24 characters of 6 bits: nobody guesses it, and it can still be typed. */
const newPassword = (): string => randomBytes(18).toString('base64url')

/** Doing it again changes nothing: a password is only made for an extension that has none, and kept before it is anybody's. */
export async function importExtensions(
  { extensions, provisionExtensions }: ImportDeps,
  tenantId: string,
  lines: readonly CsvLine[],
  {
    dryRun,
    keepPasswords,
  }: { dryRun: boolean; keepPasswords(made: ReadonlyMap<string, string>): Promise<void> },
): Promise<ImportedLine[]> {
  const numbers = lines.flatMap(({ number, wantsPassword }) => (wantsPassword ? [number] : []))
  const havePassword = await extensions.passwordHashes(tenantId, numbers)
  const made = new Map(
    numbers.filter((number) => !havePassword.has(number)).map((number) => [number, newPassword()]),
  )
  const writes = lines.flatMap(({ extension }): NewExtension[] =>
    extension ? [{ ...extension, password: made.get(extension.number) ?? extension.password }] : [],
  )
  if (!dryRun) await keepPasswords(made)
  const written = (await provisionExtensions(tenantId, writes, { dryRun })).values()
  return lines.map(({ line, number, extension, refused }): ImportedLine => {
    const done = extension ? written.next().value : undefined
    if (!done) return { line, number, status: 'refused', reason: refused ?? '' }
    if (done.status === 'refused') {
      return {
        line,
        number,
        status: 'refused',
        reason: `${noRoom(done).message} (${done.inUse} of ${done.limit})`,
      }
    }
    return { line, number, status: done.status }
  })
}
