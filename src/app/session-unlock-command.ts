import { Command } from 'commander'
import { Problem } from '../lib/problem.ts'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { unlockExtension } from './session-operator-routes.ts'

/** `wakeline extension unlock`: lets an extension log in again that was locked after failed logins. */
export const unlockCommand = (withDeps: WithDeps<Parameters<typeof unlockExtension>[0]>): Command =>
  new Command('unlock')
    .description('lets an extension log in again that was locked after failed logins')
    .requiredOption('--tenant <id>', 'the customer')
    .requiredOption('--extension <number>', 'which one')
    .action(({ tenant, extension }: { tenant: string; extension: string }) =>
      withDeps(async (deps) => {
        if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(tenant)) {
          throw new StartError('--tenant must be the id of a customer')
        }
        await unlockExtension(deps, tenant, extension).catch((thrown: unknown) => {
          throw thrown instanceof Problem ? new StartError(thrown.message) : thrown
        })
        printJson({ tenant_id: tenant, extension, status: 'unlocked' })
      }),
    )
