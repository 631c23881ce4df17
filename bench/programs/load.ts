import { once } from 'node:events'
import { scenarios } from '../load/scenarios.ts'

export type Report = { mark: string } | { result: unknown } | { failure: string }

/** The load generator: runs the one scenario it is told, and says what it saw. */
const tell = (report: Report) => process.send?.(report)
// Who asked is gone.
process.on('disconnect', () => process.exit())
const name = process.argv[2] as keyof typeof scenarios
const [settings] = await once(process, 'message')
try {
  tell({ result: await scenarios[name](settings) })
} catch (error) {
  tell({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}
