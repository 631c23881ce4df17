import { Command } from 'commander'
import type { Terminal } from '../lib/confirm.ts'
import type { WithDeps } from '../lib/shell.ts'
import {
  changeCommand,
  createCommand,
  reinstateCommand,
  renewCommand,
  revokeCommand,
  rotateCommand,
  suspendCommand,
} from './license-change-commands.ts'
import type { LicenseCommandDeps } from './license-command-parts.ts'
import { listCommand, showCommand } from './license-read-commands.ts'
import { deactivateCommand, exportCommand, transferCommand } from './license-seat-commands.ts'
import { publicKeyCommand, verifyCommand } from './license-verify-command.ts'

/** `wakeline license`: the life of licences, from a shell. */
export function licenseCommand(withDeps: WithDeps<LicenseCommandDeps>, terminal?: Terminal): Command {
  const shell = { withDeps, terminal }
  const commands = [
    createCommand,
    listCommand,
    showCommand,
    changeCommand,
    renewCommand,
    suspendCommand,
    reinstateCommand,
    revokeCommand,
    rotateCommand,
    deactivateCommand,
    transferCommand,
    exportCommand,
  ]
  const command = new Command('license')
    .description('licences: what customers may do')
    .addHelpText(
      'after',
      '\n<license> is an id, a key, or the first letters of a key as WL-7XK2MA.\nThe exit code is 0 when it is done, and 1 when it is refused.',
    )
  for (const make of commands) command.addCommand(make(shell))
  return command.addCommand(verifyCommand()).addCommand(publicKeyCommand())
}
