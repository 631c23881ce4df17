import { open, readFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import type { Extension } from '../devices/extension.ts'
import type { ExtensionStore } from '../devices/extension-store.ts'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { table } from '../lib/table.ts'
import { type CsvLine, GENERATE, readExtensionCsv } from './extension-csv.ts'
import { type ImportDeps, type ImportedLine, importExtensions } from './extension-import.ts'
import { describeExtension } from './extension-schemas.ts'

interface Deps extends ImportDeps {
  extensions: Pick<ExtensionStore, 'passwordHashes' | 'list'>
  tenantSettings: { find(tenantId: string): Promise<unknown> }
}

/** Far above a hundred thousand extensions. */
const MAX_BYTES = 16 * 1024 * 1024
const PAGE = 500

interface ImportOptions {
  tenant: string
  csv: string
  passwords?: string
  dryRun?: true
  json?: true
}

/** `wakeline extension`: who can be called. */
export const extensionCommand = (withDeps: WithDeps<Deps>): Command =>
  new Command('extension')
    .description('extensions of a customer')
    .addCommand(importCommand(withDeps))
    .addCommand(listCommand(withDeps))

const importCommand = (withDeps: WithDeps<Deps>): Command =>
  new Command('import')
    .description('creates and changes extensions from a CSV file, and reports line by line')
    .requiredOption('--tenant <id>', 'the customer', uuid)
    .requiredOption('--csv <file>', 'its first line names the columns: number,name,email,password,dnd')
    .option('--passwords <file>', `a new file for passwords that are made where the file says ${GENERATE}`)
    .option('--dry-run', 'only says what would happen')
    .option('--json', 'prints JSON')
    .addHelpText(
      'after',
      '\nAn empty cell leaves what is there. The exit code is 1 when a line was refused; the others are done.\n\nExample:\n  wakeline extension import --tenant 0193… --csv people.csv --passwords new-passwords.csv',
    )
    .action(async (options: ImportOptions) => {
      const lines = readExtensionCsv(await readCsv(options.csv))
      const dryRun = options.dryRun === true
      await using passwords = await openPasswords(lines, options)
      await withDeps(async (deps) => {
        await mustBeTenant(deps, options.tenant)
        const how = { dryRun, keepPasswords: passwords.keep }
        const imported = await importExtensions(deps, options.tenant, lines, how)
        report(imported, options)
      })
    })

const listCommand = (withDeps: WithDeps<Deps>): Command =>
  new Command('list')
    .description('shows the extensions of a customer')
    .requiredOption('--tenant <id>', 'the customer', uuid)
    .option('--json', 'prints JSON')
    .action(({ tenant, json }: { tenant: string; json?: true }) =>
      withDeps(async (deps) => {
        await mustBeTenant(deps, tenant)
        const all: Extension[] = []
        for (let after: string | undefined; ; after = all.at(-1)?.number) {
          const page = await deps.extensions.list(tenant, { after, limit: PAGE })
          all.push(...page)
          if (page.length < PAGE) break
        }
        if (json) printJson({ extensions: all.map(describeExtension) })
        else console.log(table(['NUMBER', 'NAME', 'EMAIL', 'DND', 'PASSWORD'], all.map(rowOf)))
      }),
    )

const rowOf = ({ number, name, email, dnd, hasPassword }: Extension): string[] => [
  number,
  name,
  email,
  dnd ? 'on' : '',
  hasPassword ? 'set' : 'none',
]

function uuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  throw new InvalidArgumentError('It must be the id of a tenant.')
}

async function mustBeTenant({ tenantSettings }: Deps, tenantId: string): Promise<void> {
  if (!(await tenantSettings.find(tenantId))) throw new StartError(`there is no tenant ${tenantId}`)
}

async function readCsv(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new StartError(`${path} cannot be read (${error.code ?? 'unreadable'})`)
  })
  if (bytes.length > MAX_BYTES) throw new StartError(`${path} is larger than 16 MiB`)
  return bytes.toString()
}

/** Opened before anything is changed, so that no password is made that cannot be kept. */
async function openPasswords(lines: readonly CsvLine[], { passwords: path, dryRun }: ImportOptions) {
  const isWanted = !dryRun && lines.some(({ wantsPassword }) => wantsPassword)
  if (isWanted && path === undefined) {
    throw new StartError(`the file says ${GENERATE}: name a new file for the passwords with --passwords`)
  }
  const file =
    isWanted && path !== undefined
      ? await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
          throw new StartError(`${path} cannot be made (${error.code ?? 'unwritable'})`)
        })
      : undefined
  return {
    /** On the disk when it resolves: nobody can have a password that is lost. */
    async keep(made: ReadonlyMap<string, string>): Promise<void> {
      const lines = [...made].map((cells) => cells.map(csvCell).join(','))
      await file?.write(`${['number,password', ...lines].join('\n')}\n`)
      await file?.sync()
    },
    [Symbol.asyncDispose]: async () => file?.close(),
  }
}

/** RFC 4180. */
const csvCell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

function report(imported: readonly ImportedLine[], { json, dryRun }: ImportOptions): void {
  const count = (status: ImportedLine['status']) => imported.filter((line) => line.status === status).length
  const summary = {
    created: count('created'),
    updated: count('updated'),
    unchanged: count('unchanged'),
    refused: count('refused'),
  }
  if (json) printJson({ dry_run: dryRun === true, ...summary, lines: imported })
  else {
    const rows = imported.map(({ line, number, status, reason = '' }) => [`${line}`, number, status, reason])
    console.log(table(['LINE', 'NUMBER', 'RESULT', ''], rows))
    const sums = Object.entries(summary).map(([status, sum]) => `${sum} ${status}`)
    console.log(`${dryRun ? 'would be: ' : ''}${sums.join(', ')}`)
  }
  if (summary.refused > 0) process.exitCode = 1
}
