import { type Command, Option } from 'commander'
import {
  askFor,
  askingCommand,
  bodyOf,
  checked,
  type JsonOption,
  LICENSE_ARGUMENT,
  type LicenseCommandDeps,
  type LicenseShell,
  mustBeSure,
  print,
  refusable,
  subcommand,
  toList,
  toNumber,
  toNumberOr,
  toTextOr,
  withLicense,
  type YesOption,
} from './license-command-parts.ts'
import { toChange, toNewLicense, toRenewal } from './license-terms.ts'
import { factsText, licenseText } from './license-text.ts'
import { describeLicense } from './license-views.ts'
import type { Changed } from './manage-licenses.ts'
import {
  LicenseChangeBody,
  NewLicenseBody,
  ReasonBody,
  RenewalBody,
  RotationBody,
  TIERS_AND_CUSTOM,
} from './operator-license-schemas.ts'
import { ENTITLEMENTS, TIER_NAMES } from './tiers.ts'

const ACTOR = 'shell'
const TIME = '2027-12-31 (its beginning in UTC) or 2027-12-31T18:00:00Z'

const termOptions = (command: Command): Command =>
  command
    .option('--max-extensions <number>', 'extensions it is for', toNumber)
    .option('--max-installations <number|any>', 'machines at the same time', toNumberOr('any'))
    .option('--entitlements <list>', `some of ${ENTITLEMENTS.join(',')}`, toList)
    .option('--notes <text>', 'for operators only')

export const createCommand = ({ withDeps }: LicenseShell) =>
  termOptions(
    subcommand(
      'create',
      'makes a licence, and shows its key',
      'create --tenant-name Acme --tier standard --expires-at 2027-12-31',
    )
      .option('--tenant-id <id>', 'of a tenant there is')
      .option('--tenant-name <name>', 'of a tenant that is made with it')
      .option('--pbx-key', 'also makes a PBX key for the new tenant')
      .addOption(
        new Option('--tier <tier>', 'its terms, unless others are given')
          .choices(TIERS_AND_CUSTOM)
          .default('free'),
      ),
  )
    .option('--calls-per-day <number>', 'quota in place of what its size gives', toNumber)
    .option('--messages-per-day <number>', 'quota in place of what its size gives', toNumber)
    .option('--expires-at <time>', `its end, as ${TIME}; never if absent`)
    .action((options: JsonOption) => {
      const body = checked(NewLicenseBody, bodyOf(options))
      return withDeps((deps) =>
        refusable(async () => {
          const { license, key, pbxKey } = await deps.manageLicenses.create(toNewLicense(body), ACTOR)
          const described = describeLicense(license, deps.clock.now())
          const pbx = pbxKey === undefined ? {} : { pbx_key: pbxKey }
          const keys = [['key', key], ...(pbxKey === undefined ? [] : [['pbx key', pbxKey]])]
          const text = `${licenseText(described)}\n\n${factsText(keys)}\nshown only here: keep it now`
          print(options, { license: described, license_key: key, ...pbx }, text)
        }),
      )
    })

export const changeCommand = (shell: LicenseShell) =>
  termOptions(
    subcommand(
      'change',
      'changes what a licence allows, its end or its notes; what is not given stays',
      'change WL-7XK2MA --tier professional',
    )
      .argument('<license>', LICENSE_ARGUMENT)
      .addOption(
        new Option('--tier <tier>', 'copies the terms of the tier; other options go on top').choices(
          TIER_NAMES,
        ),
      ),
  )
    .option('--calls-per-day <number|default>', 'quota; default: as its size gives', toNumberOr('default'))
    .option('--messages-per-day <number|default>', 'quota; default: as its size gives', toNumberOr('default'))
    .option('--expires-at <time|never>', `its end, as ${TIME}`, toTextOr('never'))
    .action((word: string, options: JsonOption) => {
      const body = checked(LicenseChangeBody, bodyOf(options))
      return withLicense(shell, word, async (deps, id) =>
        tell(deps, options, await deps.manageLicenses.change(id, toChange(body), ACTOR)),
      )
    })

export const renewCommand = (shell: LicenseShell) =>
  subcommand('renew', 'puts off the end of a licence', 'renew WL-7XK2MA --months 12')
    .argument('<license>', LICENSE_ARGUMENT)
    .option('--until <time>', `the new end, as ${TIME}`)
    .option('--days <number>', 'from its end, or from now if that is over', toNumber)
    .option('--months <number>', 'the same day of a later month', toNumber)
    .option('--never', 'it ends no more')
    .action((word: string, options: JsonOption) => {
      const body = checked(RenewalBody, bodyOf(options))
      return withLicense(shell, word, async (deps, id) =>
        tell(deps, options, await deps.manageLicenses.renew(id, toRenewal(body), ACTOR)),
      )
    })

export const suspendCommand = (shell: LicenseShell) =>
  subcommand(
    'suspend',
    'refuses a licence until it is reinstated',
    'suspend WL-7XK2MA --reason "invoice 1042 is open"',
  )
    .argument('<license>', LICENSE_ARGUMENT)
    .requiredOption('--reason <text>', 'for the audit; the owner is not told')
    .action((word: string, options: JsonOption) => {
      const { reason } = checked(ReasonBody, bodyOf(options))
      return withLicense(shell, word, async (deps, id) =>
        tell(deps, options, await deps.manageLicenses.suspend(id, reason, ACTOR)),
      )
    })

export const reinstateCommand = (shell: LicenseShell) =>
  subcommand('reinstate', 'ends a suspension', 'reinstate WL-7XK2MA')
    .argument('<license>', LICENSE_ARGUMENT)
    .action((word: string, options: JsonOption) =>
      withLicense(shell, word, async (deps, id) =>
        tell(deps, options, await deps.manageLicenses.reinstate(id, ACTOR)),
      ),
    )

export const revokeCommand = (shell: LicenseShell) =>
  askingCommand(
    'revoke',
    'ends a licence for good: nothing brings it back',
    'revoke WL-7XK2MA --reason "contract ended"',
  )
    .argument('<license>', LICENSE_ARGUMENT)
    .requiredOption('--reason <text>', 'for the audit; the owner is not told')
    .action((word: string, options: JsonOption & YesOption) => {
      const { reason } = checked(ReasonBody, bodyOf(options))
      mustBeSure(shell, options)
      return withLicense(shell, word, async (deps, id) => {
        await askFor(shell, options, deps, id, 'Revoked, it never works again, and its phones stop ringing.')
        tell(deps, options, await deps.manageLicenses.revoke(id, reason, ACTOR))
      })
    })

const OVERLAP = { overlap: 'overlap_days' }

export const rotateCommand = (shell: LicenseShell) =>
  askingCommand(
    'rotate',
    'makes a new key, and shows it; the ones before go on working for a while',
    'rotate WL-7XK2MA --overlap 14',
  )
    .argument('<license>', LICENSE_ARGUMENT)
    .option(
      '--overlap <days>',
      'for which the old keys go on, at most 90; 0: they end at once (default: 7)',
      toNumber,
    )
    .action((word: string, options: JsonOption & YesOption) => {
      const { overlap_days: overlapDays } = checked(RotationBody, bodyOf(options, OVERLAP), OVERLAP)
      if (overlapDays === 0) mustBeSure(shell, options)
      return withLicense(shell, word, async (deps, id) => {
        if (overlapDays === 0)
          await askFor(
            shell,
            options,
            deps,
            id,
            'Its keys end at once, and each PBX is refused until it has the new one.',
          )
        const { license, key, previousUntil } = await deps.manageLicenses.rotate(id, { overlapDays }, ACTOR)
        const until = new Date(previousUntil).toISOString()
        const described = describeLicense(license, deps.clock.now())
        const value = { license: described, license_key: key, previous_keys_until: until }
        const facts = [
          ['licence', license.id],
          ['key', key],
          ['old keys', overlapDays === 0 ? 'ended' : `good until ${until}`],
        ]
        print(options, value, `${factsText(facts)}\nthe key is shown only here: keep it now`)
      })
    })

function tell({ clock }: LicenseCommandDeps, options: JsonOption, { license, changed }: Changed): void {
  const described = describeLicense(license, clock.now())
  const text = changed
    ? licenseText(described)
    : `nothing to do: it is so already\n\n${licenseText(described)}`
  print(options, { license: described, changed }, text)
}
