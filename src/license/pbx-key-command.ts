import { Command } from 'commander'
import type { Clock } from '../lib/clock.ts'
import { confirm, mustBeAskable, type Terminal } from '../lib/confirm.ts'
import type { Keyring } from '../lib/keyring.ts'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { printable, table } from '../lib/table.ts'
import { addPbxKey } from './create-tenant.ts'
import { UUID } from './find-license.ts'
import { type JsonOption, print, toUuid, type YesOption } from './license-command-parts.ts'
import type { LicenseRecordsStore } from './license-records-store.ts'
import type { PbxKeyRecord } from './pbx-key-store.ts'

export interface PbxKeyCommandDeps {
  licenseRecords: LicenseRecordsStore
  keyring: Keyring
  clock: Clock
}

/** `wakeline pbx-key`: the keys for `/api/v1/pbx`, from a shell. */
export const pbxKeyCommand = (withDeps: WithDeps<PbxKeyCommandDeps>, terminal?: Terminal): Command =>
  new Command('pbx-key')
    .description('keys that PBXes wake phones with')
    .addCommand(listCommand(withDeps))
    .addCommand(createCommand(withDeps))
    .addCommand(revokeCommand(withDeps, terminal))

const listCommand = (withDeps: WithDeps<PbxKeyCommandDeps>) =>
  new Command('list')
    .description('lists them, the newest first; the keys themselves are stored nowhere')
    .option('--tenant-id <id>', 'only of this tenant', toUuid)
    .option('--json', 'prints JSON')
    .action((options: JsonOption & { tenantId?: string }) =>
      withDeps(async ({ licenseRecords }) => {
        const found = await licenseRecords.pbxKeys.list(options.tenantId)
        print(options, { pbx_keys: found.map(describe) }, listText(found))
      }),
    )

const createCommand = (withDeps: WithDeps<PbxKeyCommandDeps>) =>
  new Command('create')
    .description('makes another key for a tenant, and shows it')
    .requiredOption('--tenant-id <id>', 'whose it is', toUuid)
    .option('--name <name>', 'of the PBX that gets it', 'pbx')
    .action(({ tenantId, name }: { tenantId: string; name: string }) =>
      withDeps(async ({ licenseRecords, keyring }) => {
        const { tenants, pbxKeys } = licenseRecords
        if (!(await tenants.exists(tenantId))) throw new StartError('there is no tenant of this id')
        printJson({ tenant_id: tenantId, pbx_key: await addPbxKey(pbxKeys, keyring, { id: tenantId, name }) })
      }),
    )

const revokeCommand = (withDeps: WithDeps<PbxKeyCommandDeps>, terminal: Terminal | undefined) =>
  new Command('revoke')
    .description('ends a key for good, on every node within 5 s')
    .argument('<key>', 'its id, or its first letters as wlpbx_1a2b')
    .option('--yes', 'asks nothing; needed where there is no terminal')
    .option('--json', 'prints JSON')
    .action((word: string, options: JsonOption & YesOption) => {
      mustBeAskable(options.yes ?? false, terminal)
      return withDeps(async ({ licenseRecords: { pbxKeys }, clock }) => {
        const key = theOne(await pbxKeys.find(word, UUID.test(word)))
        const question = `This is ${key.prefix} of ${printable(key.tenantName)} (${printable(key.name)}).\nA PBX that has it wakes no phone any more.`
        if (!options.yes) await confirm(question, key.prefix, terminal)
        const now = clock.now()
        const changed = await pbxKeys.revoke(key.id, new Date(now))
        const revoked = describe({ ...key, revokedAt: key.revokedAt ?? now })
        const text = changed ? `${key.prefix} is revoked` : `nothing to do: ${key.prefix} is revoked already`
        print(options, { pbx_key: revoked, changed }, text)
      })
    })

function theOne([key, another]: readonly PbxKeyRecord[]): PbxKeyRecord {
  if (!key) throw new StartError('there is no such PBX key')
  if (another) throw new StartError('several PBX keys begin like this: give the id')
  return key
}

const describe = (key: PbxKeyRecord) => ({
  id: key.id,
  tenant_id: key.tenantId,
  tenant_name: key.tenantName,
  name: key.name,
  prefix: key.prefix,
  created_at: new Date(key.createdAt).toISOString(),
  revoked_at: key.revokedAt === undefined ? null : new Date(key.revokedAt).toISOString(),
})

const listText = (keys: readonly PbxKeyRecord[]): string =>
  keys.length === 0
    ? 'no PBX key'
    : table(
        ['ID', 'KEY', 'TENANT', 'NAME', 'SINCE', 'REVOKED'],
        keys.map(describe).map((key) => {
          const { id, prefix, tenant_name, name, created_at, revoked_at } = key
          return [id, prefix, tenant_name, name, created_at, revoked_at ?? 'no']
        }),
      )
