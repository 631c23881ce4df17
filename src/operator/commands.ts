import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { StartError } from '../lib/start-error.ts'
import { createTenant, type NewTenant, TIERS, type Tier } from './create-tenant.ts'
import { ensureOperator } from './ensure-operator.ts'
import { ROLES, type Role } from './operator-store.ts'

type Deps = Parameters<typeof createTenant>[0] & Parameters<typeof ensureOperator>[0]

/**
 * The commands of an operator at a shell. They print JSON, because the keys in it are shown this once.
 *
 * @param withDeps opens what a command needs, and closes it afterwards
 */
export function createCommands(withDeps: (work: (deps: Deps) => Promise<void>) => Promise<void>): Command {
  const program = new Command('wakeline').description('Administers a Wakeline from a shell.')
  const print = (value: object) => console.log(JSON.stringify(value, null, 2))

  program
    .command('tenant')
    .description('customers')
    .command('create')
    .description('makes a customer with a licence key and a PBX key, and shows both')
    .requiredOption('--name <name>', 'of the customer')
    .addOption(new Option('--tier <tier>', 'size of the licence').choices(Object.keys(TIERS)).default('free'))
    .action(({ name, tier }: { name: string; tier: Tier }) =>
      withDeps(async (deps) => {
        const { tenantId, licenseKey, pbxKey } = await createTenant(deps, { name, tier } satisfies NewTenant)
        print({ tenant_id: tenantId, license_key: licenseKey, pbx_key: pbxKey })
      }),
    )

  program
    .command('operator')
    .description('people who may log in')
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
        print({ name, role, password })
      }),
    )
  return program
}
