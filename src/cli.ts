import { Command } from 'commander'
import { unlockCommand } from './app/session-unlock-command.ts'
import type { Context } from './context.ts'
import type { WithDeps } from './lib/shell.ts'
import { importCommand } from './license/import/import-command.ts'
import { licenseCommand } from './license/license-command.ts'
import { pbxKeyCommand } from './license/pbx-key-command.ts'
import { tenantCommand } from './license/tenant-command.ts'
import { operatorCommand } from './operator/operator-command.ts'
import { extensionCommand } from './pbx/extension-command.ts'

/** The commands of an operator at a shell. */
export const wakelineCommand = (withContext: WithDeps<Context>): Command =>
  new Command('wakeline')
    .description('Administers a Wakeline from a shell.')
    .addCommand(tenantCommand(withContext))
    .addCommand(pbxKeyCommand(withContext))
    .addCommand(importCommand(withContext))
    .addCommand(licenseCommand(withContext))
    .addCommand(operatorCommand(withContext))
    .addCommand(extensionCommand(withContext).addCommand(unlockCommand(withContext)))
