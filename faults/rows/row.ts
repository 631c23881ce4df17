import type { Equation } from '../history/equations.ts'
import type { Disruption } from '../history/history.ts'
import type { Load } from '../load/load.ts'
import type { Random } from '../load/random.ts'
import type { Stack, StackOptions } from '../stack/start-stack.ts'

/** Where a row does its harm, and the notes that the checker needs of it. */
export interface Stage {
  stack: Stack
  load: Load
  random: Random
  disruptions: Disruption[]
  isShort: boolean
  /** Equations of this run alone. */
  alsoHolds(equations: Readonly<Record<string, Equation>>): void
  /** Milliseconds, fewer in a short run. */
  lasting(ms: number, shortMs: number): Promise<void>
}

/** One fault. */
export interface Row {
  title: string
  stack?: StackOptions
  /** Begins with the load and not in the middle of it. */
  atOnce?: true
  /** Does the harm under load; resolves when everything runs again. */
  hurt(stage: Stage): Promise<void>
  /** The part of all calls that must reach a vendor. */
  callsSent?: number
  /** How long promises may take to be kept after that; 60 s if absent. */
  healMs?: number
}
