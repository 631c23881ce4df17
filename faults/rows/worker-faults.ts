import { SECOND } from '../../src/lib/units.ts'
import { eachStory } from '../history/equations.ts'
import { type History, mayRing } from '../history/history.ts'
import { isSuccess, type Story } from '../history/stories.ts'
import { crashOne, fragileCallWorkers } from './crash-points.ts'
import type { Row, Stage } from './row.ts'

/** Its supervisor needs a moment, too. */
const KILL_EVERY_MS = 3 * SECOND
const KILLS = { full: 7, short: 2 }

/** Vendors that take their time with some pushes, so that there is always one in the middle of its way. */
const SLOW = 0.3
const SLOW_MS = SECOND / 2
/** What the lock of a dead worker and two looks at it take; see `src/queue/jobs.ts`. */
const RECOVERY_MS = 8 * SECOND

function slowDownVendors({ stack, load, random }: Stage): void {
  const { apns, fcm } = stack.simulators
  load.script((item) => {
    if (item.mode === 'held' || !random.chance(SLOW)) return item
    ;({ apns, fcm })[item.provider].answers(item.token, { status: 200, delayMs: SLOW_MS })
    return item
  })
}

export const killedCallWorkers: Row = {
  title: 'a worker of calls dies with a job it has just taken; then one is killed every 3 s',
  callsSent: 0.999,
  stack: { workers: { calls: fragileCallWorkers } },
  async hurt(stage) {
    const { stack, load, disruptions, random, lasting, isShort, alsoHolds } = stage
    alsoHolds({ 'recovered late': eachStory(recoveredLate) })
    await crashOne(stage, 'after_fetch', 'calls')
    slowDownVendors(stage)
    for (let kill = 0; kill < (isShort ? KILLS.short : KILLS.full); kill += 1) {
      const post = random.pick(stack.workers.calls)
      const at = Date.now()
      await post.kill()
      disruptions.push({ kind: 'killed', lane: 'calls', at, until: at })
      await Promise.all([post.start(), lasting(KILL_EVERY_MS, KILL_EVERY_MS)])
    }
    load.script(undefined)
  },
}

/** A call arrives, and its row is closed, within 8 s of the last death that can have held it up. */
function recoveredLate({ item, answers, receipts, row }: Story, history: History): string | undefined {
  if (item.lane !== 'calls' || answers.every((answer) => !isSuccess(answer))) return undefined
  const askedAt = Math.min(...answers.map(({ sentAt }) => sentAt))
  const deaths = history.disruptions.flatMap(({ lane, at }) => (lane === 'calls' ? [at] : []))
  const late = (what: string, at: number | undefined, allowedMs: number) => {
    if (at === undefined) return undefined
    const since = Math.max(askedAt, ...deaths.filter((death) => death <= at))
    const lags = history.lags.filter((lag) => lag.at >= since && lag.at <= at)
    const ms = at - since - lags.reduce((sum, lag) => sum + lag.ms, 0)
    return ms > allowedMs ? `${what} ${Math.round(ms)} ms after the last death before it` : undefined
  }
  return (
    late('arrived', receipts.find(mayRing)?.at, RECOVERY_MS) ??
    late('was closed', row?.closedAt, RECOVERY_MS + SLOW_MS)
  )
}

export const frozenWorkers: Row = {
  title: 'a worker of each lane is frozen for 10 s, then goes on',
  async hurt(stage) {
    const { stack, load, disruptions, random, lasting } = stage
    slowDownVendors(stage)
    await lasting(SECOND, SECOND)
    const { calls, messages } = stack.workers
    const chosen = [calls, messages].map((posts) => random.pick(posts))
    const at = Date.now()
    for (const post of chosen) post.freeze()
    await lasting(10 * SECOND, 6 * SECOND)
    for (const post of chosen) post.thaw()
    load.script(undefined)
    for (const { lane = 'calls' } of chosen) {
      disruptions.push({ kind: 'frozen', lane, at, until: Date.now() })
    }
  },
}
