import { Command } from 'commander'
import type { Context } from './context.ts'
import type { WithDeps } from './lib/shell.ts'
import { tenantCommand } from './license/tenant-command.ts'
import { operatorCommand } from './operator/operator-command.ts'

/** The commands of an operator at a shell. */
export const wakelineCommand = (withContext: WithDeps<Context>): Command =>
  new Command('wakeline')
    .description('Administers a Wakeline from a shell.')
    .addCommand(tenantCommand(withContext))
    .addCommand(operatorCommand(withContext))
