import { Option } from 'commander'
import {
  bodyOf,
  checked,
  type JsonOption,
  LICENSE_ARGUMENT,
  type LicenseShell,
  print,
  refusable,
  subcommand,
  withLicense,
} from './license-command-parts.ts'
import { toFilter } from './license-terms.ts'
import { detailsText, listText } from './license-text.ts'
import { LicenseQuery, STATES } from './operator-license-schemas.ts'

export const listCommand = ({ withDeps }: LicenseShell) =>
  subcommand('list', 'lists licences, the newest first', 'list --text acme --state expiring')
    .option('--text <text>', 'part of the name of the tenant, of the prefix of a key or of the notes')
    .option('--tier <tier>', 'only of this tier')
    .addOption(new Option('--state <state>', 'expiring: in force, and ends within 30 days').choices(STATES))
    .option('--tenant-id <id>', 'only of this tenant')
    .option('--limit <number>', 'how many, at most 200 (default: 50)')
    .option('--cursor <cursor>', 'goes on after a page before')
    .action((options: JsonOption) => {
      const query = checked(LicenseQuery, bodyOf(options))
      return withDeps((deps) =>
        refusable(async () => {
          const page = { limit: query.limit, after: query.cursor }
          const { licenses, next } = await deps.licenseLookup.search(toFilter(query), page)
          const found = { licenses, ...(next !== undefined && { next_cursor: next }) }
          print(options, found, listText(licenses, next))
        }),
      )
    })

export const showCommand = (shell: LicenseShell) =>
  subcommand('show', 'shows a licence with its keys, installations and history', 'show WL-7XK2MA')
    .argument('<license>', LICENSE_ARGUMENT)
    .action((word: string, options: JsonOption) =>
      withLicense(shell, word, async ({ licenseLookup }, id) => {
        const details = await licenseLookup.details(id)
        print(options, details, detailsText(details))
      }),
    )
