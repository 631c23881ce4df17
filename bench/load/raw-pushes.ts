import { setTimeout as delay } from 'node:timers/promises'
import type { RecorderReady } from '../programs/recorder.ts'
import { openAppleClient } from './apple-client.ts'
import { atPace } from './pace.ts'
import { sharedNow } from './stamp.ts'

/** The floor of row a: HTTP/2 requests at the pace of the calls, stamped, from a process that does nothing else. */
export async function pacedRawPushes(settings: {
  ready: RecorderReady
  perSecond: number
  warmUpMs: number
  measureMs: number
}): Promise<{ failed: number }> {
  const client = await openAppleClient(settings.ready)
  let failed = 0
  const push = (stamp: number) =>
    void client.push(stamp).then(
      (status) => {
        if (status !== 200) failed += 1
      },
      () => {
        failed += 1
      },
    )
  await atPace(settings.perSecond, settings.warmUpMs, () => push(0))
  await atPace(settings.perSecond, settings.measureMs, () => push(sharedNow()))
  await delay(100)
  client.close()
  return { failed }
}

/** The floor of row c: as many as one process brings out with 100 in flight. */
export async function closedLoopRawPushes(settings: {
  ready: RecorderReady
  inFlight: number
  warmUpMs: number
  measureMs: number
}): Promise<{ perSecond: number; processorUs: number }> {
  const client = await openAppleClient(settings.ready)
  let done = 0
  let isOver = false
  const loop = async () => {
    while (!isOver) {
      await client.push(0)
      done += 1
    }
  }
  const all = Promise.all(Array.from({ length: settings.inFlight }, loop))
  await delay(settings.warmUpMs)
  const [before, begin, used] = [done, performance.now(), process.cpuUsage()]
  await delay(settings.measureMs)
  const [count, seconds, { user, system }] = [
    done - before,
    (performance.now() - begin) / 1_000,
    process.cpuUsage(used),
  ]
  isOver = true
  await all
  client.close()
  return { perSecond: count / seconds, processorUs: (user + system) / count }
}
