import { printable, table } from '../lib/table.ts'
import type { LicenseLookup } from './license-lookup.ts'
import type { describeLicense } from './license-views.ts'

type Details = Awaited<ReturnType<LicenseLookup['details']>>
type Listed = Details['license']

/** Licences for people at a shell. */
export function listText(licenses: readonly Listed[], next: string | undefined): string {
  if (licenses.length === 0) return 'no licence matches'
  const rows = licenses.map((license) => [
    license.id,
    license.key_prefixes[0] ?? '',
    license.tenant_name,
    license.tier,
    license.state,
    String(license.max_extensions),
    `${license.active_installations}/${license.max_installations ?? 'any'}`,
    dayOf(license.expires_at),
  ])
  const head = ['LICENCE', 'KEY', 'TENANT', 'TIER', 'STATE', 'EXTENSIONS', 'SEATS', 'ENDS']
  const more = next === undefined ? '' : `\nmore with --cursor ${next}`
  return table(head, rows) + more
}

export function detailsText({ license, keys, installations, usage_today: usage, events }: Details): string {
  const facts = [
    ...factsOf(license),
    ['tenant', `${license.tenant_name} (${license.tenant_id})`],
    ['calls today', `${usage.calls}, and ${usage.refused_calls} refused`],
    ['messages today', `${usage.messages}, and ${usage.refused_messages} refused`],
    ['notes', license.notes],
  ]
  return [
    factsText(facts),
    table(
      ['KEY', 'STATE', 'SINCE', 'UNTIL'],
      keys.map((key) => [
        key.prefix,
        key.is_good ? 'good' : 'replaced',
        key.created_at,
        key.expires_at ?? 'no successor',
      ]),
    ),
    installations.length === 0
      ? 'no installation'
      : table(
          ['INSTALLATION', 'HOST', 'VERSION', 'SINCE', 'LAST SEEN'],
          installations.map((seat) => [
            seat.instance_id,
            seat.hostname,
            seat.version,
            seat.activated_at,
            seat.last_seen_at,
          ]),
        ),
    eventsText(events),
  ].join('\n\n')
}

const eventsText = (events: Details['events']): string =>
  table(
    ['AT', 'ACTION', 'BY', 'DETAILS'],
    events.map((event) => [event.at, event.action, event.actor, JSON.stringify(event.details)]),
  )

export const licenseText = (license: ReturnType<typeof describeLicense>): string =>
  factsText(factsOf(license))

const factsOf = (license: ReturnType<typeof describeLicense>) => [
  ['licence', license.id],
  ['state', license.state],
  ...(license.suspended_at === null ? [] : [['suspended', license.suspended_at]]),
  ...(license.revoked_at === null ? [] : [['revoked', license.revoked_at]]),
  ['tier', license.tier],
  ['extensions', String(license.max_extensions)],
  ['installations', `${license.max_installations ?? 'any number'}`],
  ['includes', license.entitlements.join(', ') || 'nothing'],
  ['calls a day', `${license.calls_per_day ?? 'as its size gives'}`],
  ['messages a day', `${license.messages_per_day ?? 'as its size gives'}`],
  ['ends', license.expires_at ?? 'never'],
]

/** A name and what it is, a line each. */
export function factsText(facts: readonly (readonly string[])[]): string {
  const width = Math.max(...facts.map(([name = '']) => name.length))
  return facts
    .map(([name = '', value = '']) => `${name.padEnd(width)}  ${printable(value)}`.trimEnd())
    .join('\n')
}

const dayOf = (time: string | null) => time?.slice(0, 'YYYY-MM-DD'.length) ?? 'never'
