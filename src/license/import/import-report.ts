/** Rows that are named in a report for one reason; the others are counted. */
const MAX_NAMED = 100

export interface SkippedRows {
  reason: string
  count: number
  /** Of the first ones, as FlowPBX numbers its rows. */
  ids: string[]
}

/** What became of a table's rows. */
export interface TableReport {
  read: number
  created: number
  already_there: number
  skipped: number
  reasons: SkippedRows[]
}

/** A licence that is here and not as it is there. It stays as it is here. */
export interface Difference {
  id: string
  license_id: string
  fields: string[]
}

export interface ImportReport {
  dry_run: boolean
  licenses: TableReport
  installations: TableReport
  push_logs: TableReport
  differing: number
  /** The first of those. */
  differences: Difference[]
}

const TABLES = ['licenses', 'installations', 'push_logs'] as const

/** Counts the rows of a table. */
export function createTally() {
  const reasons = new Map<string, SkippedRows>()
  const counts = { read: 0, created: 0, already_there: 0, skipped: 0 }
  return {
    count(what: 'read' | 'created' | 'already_there', rows: number): void {
      counts[what] += rows
    },
    /** @param id absent for rows that nobody has to look at */
    skip(reason: string, id?: string, rows = 1): void {
      if (rows === 0) return
      const entry = reasons.get(reason) ?? { reason, count: 0, ids: [] }
      entry.count += rows
      if (id !== undefined && entry.ids.length < MAX_NAMED) entry.ids.push(id)
      reasons.set(reason, entry)
      counts.skipped += rows
    },
    report: (): TableReport => ({ ...counts, reasons: [...reasons.values()] }),
  }
}
export type Tally = ReturnType<typeof createTally>

export function createDifferences() {
  const differences: Difference[] = []
  let differing = 0
  return {
    add(difference: Difference): void {
      differing += 1
      if (differences.length < MAX_NAMED) differences.push(difference)
    },
    report: () => ({ differing, differences }),
  }
}
export type Differences = ReturnType<typeof createDifferences>

/** For people: a table, and every row that was left out by its number. */
export function describeReport(report: ImportReport): string {
  const head = ['', 'read', 'created', 'already there', 'skipped']
  const rows = TABLES.map((table) => {
    const { read, created, already_there, skipped } = report[table]
    return [table, read, created, already_there, skipped].map(String)
  })
  const lines = [head, ...rows].map(([name = '', ...counts]) =>
    [name.padEnd(13), ...counts.map((count) => count.padStart(14))].join(''),
  )
  return [...lines, '', ...notesOf(report), conclusionOf(report)].join('\n')
}

const notesOf = (report: ImportReport): string[] => [
  ...TABLES.flatMap((table) =>
    report[table].reasons.map(
      ({ reason, count, ids }) => `skipped ${count} of ${table}: ${reason}${named(ids, count)}`,
    ),
  ),
  ...report.differences.map(
    ({ id, license_id, fields }) =>
      `licence ${id} is here as ${license_id}, and differs in ${fields.join(', ')}: it stays as it is here`,
  ),
  ...(report.differing > report.differences.length
    ? [`… and ${report.differing - report.differences.length} more licences that differ`]
    : []),
]

const named = (ids: readonly string[], count: number): string =>
  ids.length === 0 ? '' : ` (rows ${ids.join(', ')}${count > ids.length ? ', …' : ''})`

function conclusionOf(report: ImportReport): string {
  const created = TABLES.reduce((sum, table) => sum + report[table].created, 0)
  if (report.dry_run) return `This was a dry run: nothing was written, and ${created} rows would be.`
  return created === 0 ? 'Nothing was changed: there is nothing new.' : `Done: ${created} rows were written.`
}
