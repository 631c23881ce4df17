import { SECOND } from '../../src/lib/units.ts'
import { type Equation, eachStory } from './equations.ts'
import type { ClientAnswer, Lag, Mode } from './history.ts'

/** A call is handed over, or refused, within this. */
const HAND_OVER_MS = SECOND / 2
/** One in a thousand may take longer. */
const SLOW_SHARE = 0.001
/** How long the load holds a call, and what may come on top. */
export const HOLD_MS = 5 * SECOND
const HOLD_LATE_MS = SECOND / 4

const STATUSES: Readonly<Record<Mode, readonly number[]>> = {
  async: [202, 503],
  waited: [200, 502, 503],
  held: [200, 503],
  stored: [202, 503],
}

/** How the programs behaved. */
export const SERVICES: Readonly<Record<string, Equation>> = {
  /** Every well-formed request gets its answer, or a 503 that says when to come back. */
  'wrong answer': eachStory(({ item, answers }) => {
    const wrong = answers.find(
      ({ status, hasRetryAfter }) =>
        !STATUSES[item.mode].includes(status) || (status === 503 && !hasRetryAfter),
    )
    return wrong && `${wrong.status}${wrong.status === 503 ? ' without Retry-After' : ''}`
  }),

  /** 99.9 % of calls are handed over in half a second, whatever store is away. */
  'slow hand-over': ({ items, answers, lags, phases }) => {
    const calls = new Set(items.filter(({ mode }) => mode === 'async').map(({ subject }) => subject))
    const own = answers.filter(({ subject }) => calls.has(subject))
    const slow = own.filter((answer) => tookMs(answer, lags) > HAND_OVER_MS)
    if (slow.length <= Math.floor(own.length * SLOW_SHARE)) return []
    return slow.map((answer) => {
      const after = ((answer.sentAt - phases.hurtAt) / SECOND).toFixed(1)
      return `${Math.round(tookMs(answer, lags))} ms, ${after} s after the fault began`
    })
  },

  /** A hold ends when it should, whatever is away. */
  'slow hold': eachStory(({ item, answers }, { lags }) => {
    if (item.mode !== 'held') return undefined
    const slow = answers.map((answer) => tookMs(answer, lags)).find((ms) => ms > HOLD_MS + HOLD_LATE_MS)
    return slow === undefined ? undefined : `${Math.round(slow)} ms`
  }),

  /** A program ends when it is told to, and then well. */
  'unasked exit': ({ exits }) =>
    exits
      .filter(({ asked, code }) => asked === 'nothing' || (asked === 'stopped' && code !== 0))
      .map(({ name, code, signal, asked }) => `${name} ended with ${code ?? signal}, ${asked} asked`),

  /** No error was left to Node. */
  unhandled: ({ outputs }) =>
    outputs.flatMap(({ name, text }) =>
      text
        .split('\n')
        .filter((line) => UNHANDLED.test(line))
        .map((line) => `${name}: ${line.slice(0, 200)}`),
    ),
}

/** What a machine breaks that has other things to do: for fault runs, which have it for themselves, and for no test. */
export const TIMED: ReadonlySet<string> = new Set(['slow hand-over', 'slow hold'])

const UNHANDLED =
  /unhandled ?(?:promise ?)?rejection|uncaught|triggerUncaughtException|MaxListenersExceededWarning|PromiseRejectionHandledWarning/i

/** Without the time for which the client itself was not there to read. */
export function tookMs({ sentAt, answeredAt }: ClientAnswer, lags: readonly Lag[]): number {
  const late = lags.filter(({ at, ms }) => at + ms > sentAt && at < answeredAt)
  return answeredAt - sentAt - late.reduce((sum, { ms }) => sum + ms, 0)
}
