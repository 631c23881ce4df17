import { openPool } from './http-pool.ts'
import { watchOwnLoad } from './own-load.ts'
import { atPace } from './pace.ts'
import { createPushRequests } from './push-requests.ts'
import { sharedNow } from './stamp.ts'
import { summarize } from './summary.ts'

export interface PacedPushes {
  port: number
  licenseKey: string
  tag: string
  perSecond: number
  warmUpMs: number
  measureMs: number
}

/** Open loop: a slow answer delays no later request. Only pushes after the warm-up carry the time. */
export async function pacedPushes({ port, licenseKey, tag, perSecond, warmUpMs, measureMs }: PacedPushes) {
  const pool = await openPool(port, 64)
  const requests = createPushRequests(licenseKey, tag)
  const answerMs: number[] = []
  const failures: string[] = []
  const open = new Set<Promise<void>>()
  let isMeasured = false

  const push = () => {
    const stamped = isMeasured
    const begin = performance.now()
    const request = requests.next(stamped ? sharedNow() : 0)
    const answered = pool.send(request).then(({ status, body }) => {
      if (status !== 200 || !body.includes('"delivered":true')) failures.push(`${status} ${body}`)
      else if (stamped) answerMs.push(performance.now() - begin)
      open.delete(answered)
    })
    open.add(answered)
  }
  await atPace(perSecond, warmUpMs, push)
  isMeasured = true
  const ownLoad = watchOwnLoad()
  await atPace(perSecond, measureMs, push)
  const generatorLoad = ownLoad()
  await Promise.all(open)
  const { size } = pool
  pool.close()
  return {
    sent: requests.count,
    failures: failures.slice(0, 3),
    failed: failures.length,
    answerMs: summarize(answerMs),
    connections: size,
    generatorLoad,
  }
}
