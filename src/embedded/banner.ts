import type { Backend } from '../config/config.ts'
import { SECOND } from '../lib/units.ts'
import { callCommand, pushCommand } from './banner-commands.ts'
import { DEMO_PHONES } from './demo-phones.ts'
import type { DemoTenant } from './demo-tenant.ts'
import { OPERATOR_NAME, type OperatorLogin } from './first-operator.ts'
import type { ProviderChoice, ProviderSource } from './provider-choice.ts'

export interface BannerFacts {
  urls: { api: string; metrics: string; simulators?: string }
  operator: OperatorLogin
  demo: DemoTenant
  providers: ProviderChoice
  backend: Backend
  dataDirectory: string
  /** Absent with a database of somebody else. */
  postgresPort?: number
  startMs: number
}

/** Makes text stand out, where the terminal can. */
export type Paint = (format: 'bold' | 'dim' | 'green', text: string) => string

type Row = readonly [label: string, value: string]

/** What a person needs to know of a Wakeline that has just started. */
export function banner(facts: BannerFacts, paint: Paint): string {
  const seconds = (facts.startMs / SECOND).toFixed(1)
  return [
    '',
    `${paint('green', 'Wakeline is ready')} after ${seconds} s. Ctrl-C stops it.`,
    '',
    ...table(addresses(facts), paint),
    '',
    ...table(login(facts.operator), paint),
    '',
    ...table(keys(facts.demo, facts.dataDirectory), paint),
    '',
    ...table(parts(facts), paint),
    '',
    ...trial(facts, paint),
    '',
  ].join('\n')
}

const addresses = ({ urls: { api, metrics, simulators } }: BannerFacts): Row[] => [
  ['API', api],
  ['API docs', `${api}/docs`],
  ['Queue board', `${api}/operator/queues`],
  ['Metrics', `${metrics}/metrics`],
  ...(simulators ? [['Simulators', `${simulators} (control server)`] as const] : []),
]

function login(operator: OperatorLogin): Row[] {
  const name: Row = ['Operator', OPERATOR_NAME]
  if (operator.password === 'unknown') return [name, ['Password', 'as it was set on this database']]
  if (operator.password === 'kept') return [name, ['Password', `in ${operator.file}`]]
  return [name, ['Password', operator.text], ['', `kept in ${operator.file}`]]
}

const keys = ({ license_key, pbx_key, usable }: DemoTenant, directory: string): Row[] =>
  usable
    ? [
        ['Licence key', license_key],
        ['PBX key', pbx_key],
        ['', `of the tenant "Demo", kept in ${directory}/demo.json`],
      ]
    : [['Demo keys', `those in ${directory}/demo.json are not good here: revoked, or of another secret`]]

const parts = ({ providers, backend, postgresPort, dataDirectory }: BannerFacts): Row[] => [
  ['Apple', PROVIDER[providers.apns]],
  ['Google', PROVIDER[providers.fcm]],
  [
    'Storage',
    postgresPort === undefined
      ? 'PostgreSQL at DATABASE_URL'
      : `PostgreSQL of its own on port ${postgresPort}, data in ${dataDirectory}`,
  ],
  ['Queue', backend === 'redis' ? 'Redis at REDIS_URL' : 'PostgreSQL'],
]

const PROVIDER: Record<ProviderSource, string> = {
  real: 'real, with your credentials',
  simulated: 'simulated: no push leaves this machine',
  absent: 'absent: no credentials, its phones cannot be woken',
}

function trial({ urls: { api, simulators }, demo }: BannerFacts, paint: Paint): string[] {
  if (!demo.usable) return []
  const token = demo.tokens['1001']
  if (simulators === undefined || token === undefined) {
    return [
      'Register a phone with PUT /api/v1/pbx/extensions/{number}/devices/{device_id}, then wake it for a call',
      `with POST /api/v1/pbx/calls; ${api}/docs tells how.`,
    ]
  }
  const phones = DEMO_PHONES.map(
    ({ extension, name, does }) => [extension, `${name.padEnd(8)} ${does}`] as const,
  )
  return [
    ...table([['Extension', 'Simulated phone'], ...phones], paint),
    '',
    'Hold a call for 1001 until its phone has registered, at most 5 s (paste it into another terminal):',
    '',
    callCommand(api, demo.pbx_key, '1001'),
    '',
    'Push to the same phone, as a PBX with a licence does:',
    '',
    pushCommand(api, demo.license_key, token),
  ]
}

const INDENT = '  '
const GAP = 3

function table(rows: readonly Row[], paint: Paint): string[] {
  const width = 'Queue board'.length + GAP
  return rows.map(([label, value]) => `${INDENT}${paint('dim', label.padEnd(width))}${value}`)
}
