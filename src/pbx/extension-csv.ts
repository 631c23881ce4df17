import { CsvError, parse } from 'csv-parse/sync'
import { validate } from '../http/validate.ts'
import { Problem } from '../lib/problem.ts'
import { StartError } from '../lib/start-error.ts'
import type { NewExtension } from './extension-provisioning.ts'
import { ExtensionItem } from './extension-schemas.ts'

/** What may stand in the first line. */
export const CSV_COLUMNS = ['number', 'name', 'email', 'password', 'dnd'] as const
/** In place of a password. */
export const GENERATE = 'generate'

/** A line of the file that is no comment: an extension, or why it is none. */
export interface CsvLine {
  line: number
  number: string
  extension?: NewExtension
  wantsPassword?: boolean
  refused?: string
}

type Cells = Partial<Record<(typeof CSV_COLUMNS)[number], string>>

const YES = ['true', 'yes', 'on', '1']
const NO = ['false', 'no', 'off', '0']

/** Every line is judged by itself; only what makes the whole file unreadable is thrown, as a StartError. */
export function readExtensionCsv(text: string): CsvLine[] {
  const seen = new Map<string, number>()
  return recordsOf(text).map(({ cells, line }): CsvLine => {
    const { number = '' } = cells
    const before = seen.get(number)
    if (before !== undefined) return { line, number, refused: `number is in line ${before} already` }
    seen.set(number, line)
    try {
      return { line, number, ...toExtension(cells) }
    } catch (error) {
      if (error instanceof Problem) return { line, number, refused: error.message }
      throw error
    }
  })
}

function toExtension({
  number,
  name,
  email,
  password,
  dnd,
}: Cells): Pick<CsvLine, 'extension' | 'wantsPassword'> {
  const wantsPassword = password === GENERATE
  const extension = validate(ExtensionItem, {
    number,
    name,
    email,
    password: wantsPassword ? undefined : password,
    dnd: dnd === undefined ? undefined : toBoolean(dnd),
  })
  const { number: checked, name: called, email: address, password: secret, dnd: quiet } = extension
  return {
    extension: { number: checked, name: called, email: address, password: secret, dnd: quiet },
    wantsPassword,
  }
}

function toBoolean(text: string): boolean {
  const word = text.toLowerCase()
  if (YES.includes(word)) return true
  if (NO.includes(word)) return false
  throw new Problem('invalid_request', { sentence: 'dnd must be true or false', field: 'dnd' })
}

/** An empty cell says nothing. */
function recordsOf(text: string): { cells: Cells; line: number }[] {
  try {
    const records = parse(text, {
      bom: true,
      info: true,
      skip_empty_lines: true,
      columns: (head: string[]) => checkHead(head.map((name) => name.trim().toLowerCase())),
    }) as unknown as { record: Record<string, string>; info: { lines: number } }[]
    return records.map(({ record, info }) => ({ cells: cellsOf(record), line: info.lines }))
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    // Its message repeats the line, which may hold a password.
    throw new StartError(`the file is no CSV: line ${String(error.lines ?? '?')} (${error.code})`)
  }
}

const cellsOf = (record: Record<string, string>): Cells =>
  Object.fromEntries(
    Object.entries(record)
      // Spaces may belong to a password.
      .map(([column, cell]) => [column, column === 'password' ? cell : cell.trim()])
      .filter(([, cell]) => cell !== ''),
  )

function checkHead(head: string[]): string[] {
  const unknown = head.find((name) => !CSV_COLUMNS.some((column) => column === name))
  const twice = head.find((name, index) => head.indexOf(name) !== index)
  const wrong = unknown ?? twice
  if (wrong !== undefined || !head.includes('number')) {
    throw new StartError(
      `the first line must name the columns, of ${CSV_COLUMNS.join(',')}, each once, and number must be there`,
    )
  }
  return head
}
