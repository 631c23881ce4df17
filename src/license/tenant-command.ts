import { Command, Option } from 'commander'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { createTenant } from './create-tenant.ts'
import { TIER_NAMES, type Tier } from './tiers.ts'

/** `wakeline tenant`: customers. It prints JSON, because the keys in it are shown this once. */
export function tenantCommand(withDeps: WithDeps<Parameters<typeof createTenant>[0]>): Command {
  const command = new Command('tenant').description('customers')
  command
    .command('create')
    .description('makes a customer with a licence key and a PBX key, and shows both')
    .requiredOption('--name <name>', 'of the customer')
    .addOption(new Option('--tier <tier>', 'size of the licence').choices(TIER_NAMES).default('free'))
    .action(({ name, tier }: { name: string; tier: Tier }) =>
      withDeps(async (deps) => {
        const { tenantId, licenseId, licenseKey, pbxKey } = await createTenant(deps, { name, tier })
        printJson({
          tenant_id: tenantId,
          license_id: licenseId,
          license_key: licenseKey,
          pbx_key: pbxKey,
        })
      }),
    )
  return command
}
