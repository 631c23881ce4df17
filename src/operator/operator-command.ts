import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { ensureOperator } from './ensure-operator.ts'
import { ROLES, type Role } from './operator-store.ts'

type Deps = Parameters<typeof ensureOperator>[0]

/** `wakeline operator`: people who may log in. */
export function operatorCommand(withDeps: WithDeps<Deps>): Command {
  const command = new Command('operator').description('people who may log in')
  command
    .command('add')
    .description('makes an account with a random password, and shows it')
    .requiredOption('--name <name>', 'to log in with')
    .addOption(new Option('--role <role>', 'what the account may do').choices(ROLES).default('viewer'))
    .action(({ name, role }: { name: string; role: Role }) =>
      withDeps(async (deps) => {
        const password = randomBytes(15).toString('base64url')
        if (!(await ensureOperator(deps, { name, password, role }))) {
          throw new StartError(`there is an operator named ${name} already`)
        }
        printJson({ name, role, password })
      }),
    )
  return command
}
