import { randomBytes } from 'node:crypto'
import { Command, InvalidArgumentError, Option } from 'commander'
import { ROLES, type Role } from '../http/operator-roles.ts'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { ensureOperator } from './ensure-operator.ts'

type Deps = Parameters<typeof ensureOperator>[0]

/** `wakeline operator`: people who may log in. */
export function operatorCommand(withDeps: WithDeps<Deps>): Command {
  const command = new Command('operator').description('people who may log in')
  command
    .command('add')
    .description('makes an account with a random password, and shows it')
    .requiredOption('--name <name>', 'to log in with', toName)
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

/** As long as the login takes, and fit for the audit, the log and a terminal. */
function toName(text: string): string {
  if (!/^[^\p{Cc}]{1,100}$/u.test(text) || text.trim() !== text)
    throw new InvalidArgumentError(
      'It must be 1 to 100 characters, without spaces at its ends and control characters.',
    )
  return text
}
