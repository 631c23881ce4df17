import { randomBytes } from 'node:crypto'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { ROLES, type Role } from '../http/operator-roles.ts'
import type { Clock } from '../lib/clock.ts'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { table } from '../lib/table.ts'
import { ensureOperator } from './ensure-operator.ts'

type Deps = Parameters<typeof ensureOperator>[0] & { clock: Clock }

/** `wakeline operator`: people who may log in. */
export const operatorCommand = (withDeps: WithDeps<Deps>): Command =>
  new Command('operator')
    .description('people who may log in')
    .addCommand(addCommand(withDeps))
    .addCommand(listCommand(withDeps))
    .addCommand(setRoleCommand(withDeps))
    .addCommand(setPasswordCommand(withDeps))
    .addCommand(removeCommand(withDeps))

const roleOption = () => new Option('--role <role>', 'what the account may do').choices(ROLES)
const nameArgument = () => new Argument('<name>', 'that he logs in with').argParser(toName)
const newPassword = () => randomBytes(15).toString('base64url')

const addCommand = (withDeps: WithDeps<Deps>) =>
  new Command('add')
    .description('makes an account with a random password, and shows it')
    .requiredOption('--name <name>', 'to log in with', toName)
    .addOption(roleOption().default('viewer'))
    .action(({ name, role }: { name: string; role: Role }) =>
      withDeps(async (deps) => {
        const password = newPassword()
        if (!(await ensureOperator(deps, { name, password, role }))) {
          throw new StartError(`there is an operator named ${name} already`)
        }
        printJson({ name, role, password })
      }),
    )

const listCommand = (withDeps: WithDeps<Deps>) =>
  new Command('list')
    .description('lists the accounts, and how often each is logged in')
    .option('--json', 'prints JSON')
    .action(({ json }: { json?: true }) =>
      withDeps(async ({ operators, clock }) => {
        const found = (await operators.list(new Date(clock.now()))).map((account) => ({
          name: account.name,
          role: account.role,
          created_at: new Date(account.createdAt).toISOString(),
          sessions: account.sessions,
        }))
        if (json) printJson({ operators: found })
        else {
          const rows = found.map((each) => [each.name, each.role, each.created_at, String(each.sessions)])
          console.log(table(['NAME', 'ROLE', 'SINCE', 'LOGGED IN'], rows))
        }
      }),
    )

const setRoleCommand = (withDeps: WithDeps<Deps>) =>
  new Command('set-role')
    .description('gives an account another role, and logs it out')
    .addArgument(nameArgument())
    .addOption(roleOption().makeOptionMandatory())
    .action((name: string, { role }: { role: Role }) =>
      withDeps(async ({ operators }) => {
        mustBeThere(name, await operators.setRole(name, role))
        printJson({ name, role })
      }),
    )

const setPasswordCommand = (withDeps: WithDeps<Deps>) =>
  new Command('set-password')
    .description('gives an account another random password, shows it, and logs it out')
    .addArgument(nameArgument())
    .action((name: string) =>
      withDeps(async ({ operators, passwords }) => {
        const password = newPassword()
        mustBeThere(name, await operators.setPassword(name, await passwords.hash(password)))
        printJson({ name, password })
      }),
    )

const removeCommand = (withDeps: WithDeps<Deps>) =>
  new Command('remove')
    .description('takes an account away, and logs it out; what it did stays in the audit under its name')
    .addArgument(nameArgument())
    .action((name: string) =>
      withDeps(async ({ operators }) => {
        mustBeThere(name, await operators.remove(name))
        printJson({ name, removed: true })
      }),
    )

function mustBeThere(name: string, isThere: boolean): void {
  if (!isThere) throw new StartError(`there is no operator named ${name}`)
}

/** As long as the login takes, and fit for the audit, the log and a terminal. */
function toName(text: string): string {
  if (!/^[^\p{Cc}]{1,100}$/u.test(text) || text.trim() !== text)
    throw new InvalidArgumentError(
      'It must be 1 to 100 characters, without spaces at its ends and control characters.',
    )
  return text
}
