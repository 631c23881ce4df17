import { Command, InvalidArgumentError } from 'commander'
import type { z } from 'zod'
import { validate } from '../http/validate.ts'
import type { Clock } from '../lib/clock.ts'
import { confirm, mustBeAskable, type Terminal } from '../lib/confirm.ts'
import { Problem } from '../lib/problem.ts'
import { printJson, type WithDeps } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { printable } from '../lib/table.ts'
import type { ExportLicense } from './export-license.ts'
import { UUID } from './find-license.ts'
import type { Installations } from './installations.ts'
import type { LicenseLookup } from './license-lookup.ts'
import type { ManageLicenses } from './manage-licenses.ts'

export interface LicenseCommandDeps {
  licenseLookup: LicenseLookup
  manageLicenses: ManageLicenses
  exportLicense: ExportLicense
  installations: Installations
  clock: Clock
}

/** What every command of licences needs; a test brings its own terminal. */
export interface LicenseShell {
  withDeps: WithDeps<LicenseCommandDeps>
  terminal?: Terminal | undefined
}

export interface JsonOption {
  json?: true
}
export interface YesOption {
  yes?: true
}

export const LICENSE_ARGUMENT = 'its id, its key, or the first letters of the key as WL-7XK2MA'

export const subcommand = (name: string, description: string, example: string): Command =>
  new Command(name)
    .description(description)
    .option('--json', 'prints JSON')
    .addHelpText('after', `\nExample:\n  wakeline license ${example}`)

/** For what cannot be undone. */
export const askingCommand = (name: string, description: string, example: string): Command =>
  subcommand(name, description, example).option('--yes', 'asks nothing; needed where there is no terminal')

/** For people, or for programs. */
export const print = ({ json }: JsonOption, value: object, text: string): void =>
  json ? printJson(value) : console.log(text)

/** The licence that a word of the command line means. A refusal becomes its sentence. */
export const withLicense = (
  { withDeps }: LicenseShell,
  word: string,
  work: (deps: LicenseCommandDeps, id: string) => Promise<void>,
): Promise<void> => withDeps((deps) => refusable(async () => work(deps, await deps.licenseLookup.idOf(word))))

export async function refusable(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    const { field } = thrown.details
    const sentence = field === undefined ? thrown.message : asOptions(thrown.message, [field])
    throw new StartError(`${sentence} (${thrown.code})`)
  }
}

/** Before anything is opened: what cannot be asked later is refused now. */
export const mustBeSure = ({ terminal }: LicenseShell, { yes }: YesOption): void =>
  mustBeAskable(yes ?? false, terminal)

/** Has the first letters of the key typed, unless somebody was sure beforehand. */
export async function askFor(
  { terminal }: LicenseShell,
  { yes }: YesOption,
  { licenseLookup }: LicenseCommandDeps,
  id: string,
  consequence: string,
): Promise<void> {
  if (yes) return
  const { license, installations } = await licenseLookup.details(id)
  const prefix = await licenseLookup.confirmation(id)
  const seats = `${installations.length} installation${installations.length === 1 ? '' : 's'}`
  const whose = `${prefix} of ${printable(license.tenant_name)}, ${license.state}, with ${seats}`
  const question = `This is ${whose}.\n${consequence}`
  await confirm(question, prefix, terminal)
}

/** Options of a command as the body of the request that does the same. */
export function bodyOf(options: object, names: Readonly<Record<string, string>> = {}): object {
  const own = ['json', 'yes', 'out']
  return Object.fromEntries(
    Object.entries(options)
      .filter(([name]) => !own.includes(name))
      .map(([name, value]) => [names[name] ?? snake(name), value === NULL ? null : value]),
  )
}

/** The body in the schema's type. What is wrong is told in the words of the command line. */
export function checked<Schema extends z.ZodObject>(
  schema: Schema,
  body: object,
  names: Readonly<Record<string, string>> = {},
): z.output<Schema> {
  try {
    return validate(schema, body)
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    throw new StartError(asOptions(thrown.message, Object.keys(schema.shape), names))
  }
}

/** A sentence about fields of a request, as one about options. @param names of options that have not the name of their field */
function asOptions(
  sentence: string,
  fields: readonly string[],
  names: Readonly<Record<string, string>> = {},
): string {
  return sentence.replaceAll(new RegExp(`\\b(?:${fields.join('|')})\\b`, 'g'), (field) => {
    const [name] = Object.entries(names).find(([, each]) => each === field) ?? [field]
    return `--${name.replaceAll('_', '-')}`
  })
}

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** For an option that is a number; what is none becomes NaN, which every schema refuses. */
export const toNumber = (text: string): number => (/^\d+$/.test(text) ? Number(text) : Number.NaN)
/** Commander takes a null for an option without a value. */
const NULL = Symbol('null')
/** The same with a word for null. */
export const toNumberOr = (word: string) => (text: string) => (text === word ? NULL : toNumber(text))
export const toTextOr = (word: string) => (text: string) => (text === word ? NULL : text)
export function toUuid(text: string): string {
  if (!UUID.test(text)) throw new InvalidArgumentError('It must be a UUID.')
  return text
}
export const toList = (text: string): string[] => text.split(',').map((each) => each.trim())
