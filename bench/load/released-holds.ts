import { setTimeout as delay } from 'node:timers/promises'
import { openPool } from './http-pool.ts'
import { createPbx, isRegistered } from './pbx.ts'
import { extensionNames } from './phones.ts'
import { summarize } from './summary.ts'

export interface ReleasedHolds {
  port: number
  pbxKey: string
  tag: string
  prefix: string
  /** Extensions that have a phone; each call takes the next one, because a registration counts for a second after it. */
  extensions: number
  oneByOne: number
  rounds: number
  atOnce: number
}

/** Long enough for a push to be out, so that the hold does nothing but wait. */
const SETTLE_MS = 25
const SETTLE_ALL_MS = 500

/** From the registration written to the answer of the held call read: one after another, then many at once. */
export async function releasedHolds(settings: ReleasedHolds) {
  const { port, pbxKey, tag, prefix, extensions, oneByOne, rounds, atOnce } = settings
  const pool = await openPool(port, 2 * atOnce)
  const pbx = createPbx(pbxKey)
  const names = extensionNames(prefix, extensions)
  let used = 0
  let lost = 0

  const releaseAll = async (some: readonly string[], settleMs: number): Promise<number[]> => {
    const times = new Map<string, number>()
    const held = some.map(async (name) => {
      const answer = await pool.send(pbx.heldCall(tag, name, 10))
      const end = performance.now()
      if (isRegistered(answer)) return end - (times.get(name) ?? Number.NaN)
      lost += 1
      return Number.NaN
    })
    await delay(settleMs)
    const reported = some.map((name) => {
      times.set(name, performance.now())
      return pool.send(pbx.registration(name))
    })
    await Promise.all(reported)
    return Promise.all(held)
  }
  const take = (count: number) => {
    const some = Array.from({ length: count }, (_, i) => names[(used + i) % extensions] ?? '')
    used += count
    return some
  }

  const single: number[] = []
  for (let i = 0; i < oneByOne; i += 1) single.push(...(await releaseAll(take(1), SETTLE_MS)))
  const many: number[] = []
  for (let i = 0; i < rounds; i += 1) many.push(...(await releaseAll(take(atOnce), SETTLE_ALL_MS)))
  pool.close()
  const known = (times: number[]) => summarize(times.filter((ms) => !Number.isNaN(ms)))
  return { lost, oneByOne: known(single), atOnce: known(many) }
}
