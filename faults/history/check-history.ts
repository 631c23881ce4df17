import { type Equation, violationsOf } from './equations.ts'
import type { History, Violation } from './history.ts'
import { PROMISES } from './promises.ts'
import { RECEPTIONS } from './receptions.ts'
import { SERVICES } from './services.ts'
import { tellStories } from './stories.ts'

/** Everything that holds whatever happens. */
export const EQUATIONS = { ...PROMISES, ...RECEPTIONS, ...SERVICES }

/**
 * What in the history contradicts what Wakeline promises.
 *
 * @param own what holds for this fault besides
 */
export const checkHistory = (history: History, own: Readonly<Record<string, Equation>> = {}): Violation[] =>
  violationsOf({ ...EQUATIONS, ...own }, history, tellStories(history))
