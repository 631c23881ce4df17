import { setTimeout as delay } from 'node:timers/promises'
import { openPool } from './http-pool.ts'
import { mark } from './marks.ts'
import { createPbx, isRegistered } from './pbx.ts'
import { extensionNames } from './phones.ts'
import { summarize } from './summary.ts'

export interface HeldCalls {
  port: number
  pbxKey: string
  tag: string
  prefix: string
  holds: number
  idleMs: number
  /** Registrations reported at the same time. */
  reporters: number
}

/** The longest hold there is: all of them must be open at once. */
const WAIT_SECONDS = 30

/** As many held calls as told, all at once; they idle for a while, then every phone registers. */
export async function heldCalls(settings: HeldCalls) {
  const { port, pbxKey, tag, prefix, holds, idleMs, reporters } = settings
  const pbx = createPbx(pbxKey)
  const names = extensionNames(prefix, holds)
  const reporting = await openPool(port, reporters)
  await mark('before')
  const holding = await openPool(port, holds)
  const reportedAt = new Map<string, number>()
  const releaseMs: number[] = []
  const failures: string[] = []
  const held = names.map(async (name) => {
    const answer = await holding.send(pbx.heldCall(tag, name, WAIT_SECONDS))
    const end = performance.now()
    const reported = reportedAt.get(name)
    if (isRegistered(answer) && reported !== undefined) releaseMs.push(end - reported)
    else failures.push(`${answer.status} ${answer.body}`)
  })
  await mark('started')
  await mark('idle')
  await delay(idleMs)
  await mark('idled')

  const waiting = [...names]
  const report = async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      reportedAt.set(name, performance.now())
      await reporting.send(pbx.registration(name))
    }
  }
  await Promise.all(Array.from({ length: reporters }, report))
  await Promise.all(held)
  holding.close()
  reporting.close()
  return { failed: failures.length, failures: failures.slice(0, 3), releaseMs: summarize(releaseMs) }
}
