import { SECOND } from '../../src/lib/units.ts'
import type { Row, Stage } from './row.ts'

/** Its supervisor needs a moment, too. */
const KILL_EVERY_MS = 3 * SECOND
const KILLS = { full: 7, short: 2 }

/** Vendors that take their time with some pushes, so that there is always one in the middle of its way. */
const SLOW = 0.3
const SLOW_MS = SECOND / 2
function slowDownVendors({ stack, load, random }: Stage): void {
  const { apns, fcm } = stack.simulators
  load.script((item) => {
    if (item.mode === 'held' || !random.chance(SLOW)) return item
    ;({ apns, fcm })[item.provider].answers(item.token, { status: 200, delayMs: SLOW_MS })
    return item
  })
}

export const killedCallWorkers: Row = {
  title: 'a worker of calls is killed every 3 s',
  callsSent: 0.999,
  async hurt(stage) {
    const { stack, load, disruptions, random, lasting, isShort } = stage
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
