import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import { printJson, type WithDeps } from '../../lib/shell.ts'
import { StartError } from '../../lib/start-error.ts'
import { openFlowpbx } from './flowpbx-store.ts'
import { importFlowpbx } from './import-flowpbx.ts'
import { describeReport, type ImportReport } from './import-report.ts'
import type { ImportDeps } from './import-run.ts'
import { createImportStore } from './import-store.ts'

export interface ImportCommandDeps extends Omit<ImportDeps, 'store' | 'pushLogDays' | 'appId'> {
  db: Parameters<typeof createImportStore>[0]
  config: Pick<Config, 'pushLogDays'>
  appIds: readonly string[]
}

interface FlowpbxOptions {
  dsn?: string
  dsnFile?: string
  dryRun?: true
  json?: true
}

/** `wakeline import`: what another gateway knows. */
export function importCommand(withDeps: WithDeps<ImportCommandDeps>): Command {
  const command = new Command('import').description('brings in what another gateway knows')
  command
    .command('flowpbx')
    .description('imports licences, installations and the push log from the database of a FlowPBX gateway')
    .option('--dsn <url>', 'of that database, like postgres://user:password@host:5432/database')
    .option('--dsn-file <path>', 'a file with that URL, so that the password is in no list of processes')
    .option('--dry-run', 'writes nothing, and tells what would be written')
    .option('--json', 'prints the report as JSON')
    .addHelpText(
      'after',
      '\nNothing is changed there, and nothing that is here already. It may be run again at any time.\n\nExample:\n  wakeline import flowpbx --dsn-file /run/secrets/flowpbx --dry-run',
    )
    .action((options: FlowpbxOptions) => {
      const dsn = dsnOf(options)
      return withDeps(async (deps) => {
        const report = await run(deps, dsn, options.dryRun === true)
        if (options.json) printJson(report)
        else console.log(describeReport(report))
      })
    })
  return command
}

async function run(deps: ImportCommandDeps, dsn: string, dryRun: boolean): Promise<ImportReport> {
  await using source = await openFlowpbx(dsn)
  const { db, config, appIds } = deps
  const { pushLogDays } = config
  const parts = { ...deps, store: createImportStore(db), pushLogDays, appId: appIds[0] ?? 'default' }
  return await importFlowpbx(parts, source, { dryRun }).catch((cause: unknown) => {
    if (cause instanceof StartError) throw cause
    // The error of a statement quotes rows; its code tells as much and shows nobody's data.
    const { code } = cause as { code?: unknown }
    const why = typeof code === 'string' ? ` (${code})` : ''
    throw new StartError(`the import stopped at an error of our database${why}: run it again to go on`, {
      cause,
    })
  })
}

function dsnOf({ dsn, dsnFile }: FlowpbxOptions): string {
  if (dsn !== undefined && dsnFile !== undefined)
    throw new StartError('--dsn and --dsn-file exclude each other')
  if (dsn !== undefined) return dsn
  if (dsnFile === undefined) throw new StartError('--dsn or --dsn-file is required')
  try {
    return readFileSync(dsnFile, 'utf8').trim()
  } catch (error) {
    throw new StartError(
      `--dsn-file names a file that cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    )
  }
}
