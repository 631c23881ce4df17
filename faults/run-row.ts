import { setTimeout as delay } from 'node:timers/promises'
import { SECOND } from '../src/lib/units.ts'
import { query } from '../tests/support/databases.ts'
import { checkHistory } from './history/check-history.ts'
import { readDatabase, readReceipts } from './history/collect-history.ts'
import type { Equation } from './history/equations.ts'
import { type Figures, figuresOf } from './history/figures.ts'
import type { ClientAnswer, Disruption, History, Phases, Violation } from './history/history.ts'
import { isSuccess } from './history/stories.ts'
import { watchLags } from './load/lags.ts'
import { openLoad } from './load/load.ts'
import { createRandom } from './load/random.ts'
import type { Row, Stage } from './rows/row.ts'
import { type Stack, startStack } from './stack/start-stack.ts'

export interface RunSettings {
  seed: number
  isShort: boolean
}
export interface RunResult {
  seed: number
  figures: Figures
  violations: Violation[]
  /** What the programs said; for whoever looks for the reason. */
  logs: string
}

const FULL = { callsPerSecond: 20, messagesPerSecond: 100, beforeMs: 10 * SECOND, afterMs: 10 * SECOND }
const SHORT = { callsPerSecond: 8, messagesPerSecond: 25, beforeMs: 2 * SECOND, afterMs: 3 * SECOND }
const HEAL_MS = 60 * SECOND
const LOOK_MS = 250

/** One run of one row: a fresh cluster, load, the fault in the middle of it, and the check of all that was seen. */
export async function runRow(row: Row, { seed, isShort }: RunSettings): Promise<RunResult> {
  const pace = isShort ? SHORT : FULL
  const random = createRandom(seed)
  await using stack = await startStack(row.stack)
  const { simulators, urls, tenant, roster } = stack
  await using load = await openLoad({ ...pace, random: random.fork(), urls, keys: tenant, simulators })
  const disruptions: Disruption[] = []
  const own: Record<string, Equation> = {}
  const stage: Stage = {
    stack,
    load,
    random: random.fork(),
    disruptions,
    isShort,
    alsoHolds: (equations) => void Object.assign(own, equations),
    lasting: (ms, shortMs) => delay(isShort ? shortMs : ms),
  }

  const watch = watchLags()
  await load.meet()
  const begunAt = Date.now()
  load.begin()
  if (!row.atOnce) await delay(pace.beforeMs)
  const hurtAt = Date.now()
  await row.hurt(stage)
  const healedAt = Date.now()
  await delay(pace.afterMs)
  await load.stop()
  const lags = watch.stop()
  const phases: Phases = { begunAt, hurtAt, healedAt, askedAt: Date.now() }
  await untilSettled(stack, load.answers, healedAt + (row.healMs ?? HEAL_MS))
  await stack.stop()

  const history: History = {
    items: load.items,
    answers: load.answers,
    receipts: readReceipts(simulators),
    ...(await readDatabase(stack.postgres.url)),
    disruptions,
    exits: roster.exits,
    outputs: roster.programs.map(({ name, output }) => ({ name, text: output() })),
    lags,
    phases,
  }
  const violations = checkHistory(history, own)
  const logs = history.outputs.map(({ name, text }) => `--- ${name}\n${text}`).join('\n')
  return { seed, figures: figuresOf(history, violations), violations, logs }
}

/** Until everything that was acknowledged has a row and nothing is owed any more; the checker says what is missing. */
async function untilSettled(
  { postgres }: Stack,
  answers: readonly ClientAnswer[],
  deadline: number,
): Promise<void> {
  const accepted = answers.filter((answer) => isSuccess(answer) && answer.outcome !== 'registered')
  const ids = new Set(accepted.flatMap(({ pushId }) => pushId ?? []))
  while (Date.now() < deadline) {
    const [row] = await query(
      postgres.url,
      `SELECT (SELECT count(*) FROM pending_pushes)::int AS owed,
         (SELECT count(*) FROM push_logs WHERE id = ANY (string_to_array('${[...ids].join()}', ',')::uuid[]))::int AS logged`,
    )
    if (row?.owed === 0 && row.logged === ids.size) return
    await delay(LOOK_MS)
  }
}
