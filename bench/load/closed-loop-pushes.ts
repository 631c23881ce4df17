import { setTimeout as delay } from 'node:timers/promises'
import { openConnection } from './http-connection.ts'
import { mark } from './marks.ts'
import { watchOwnLoad } from './own-load.ts'
import { createPushRequests } from './push-requests.ts'
import { summarize } from './summary.ts'

export interface ClosedLoopPushes {
  port: number
  licenseKey: string
  tag: string
  callers: number
  warmUpMs: number
  measureMs: number
}

/** Callers who each wait for the outcome of their push before they send the next one. */
export async function closedLoopPushes(settings: ClosedLoopPushes) {
  const { port, licenseKey, tag, callers, warmUpMs, measureMs } = settings
  const requests = createPushRequests(licenseKey, tag)
  const answerMs: number[] = []
  const failures: string[] = []
  let delivered = 0
  let isMeasured = false
  let isOver = false

  const call = async () => {
    const connection = await openConnection(port)
    while (!isOver) {
      const begin = performance.now()
      const { status, body } = await connection.send(requests.next(0))
      if (status === 200 && body.includes('"delivered":true')) delivered += 1
      else failures.push(`${status} ${body}`)
      if (isMeasured && !isOver) answerMs.push(performance.now() - begin)
    }
    connection.close()
  }
  const all = Promise.all(Array.from({ length: callers }, call))
  await delay(warmUpMs)
  await mark('begin')
  isMeasured = true
  const ownLoad = watchOwnLoad()
  const begin = performance.now()
  await delay(measureMs)
  const measured = answerMs.length
  const seconds = (performance.now() - begin) / 1_000
  const generatorLoad = ownLoad()
  await mark('end')
  isOver = true
  await all
  return {
    sent: requests.count,
    delivered,
    failures: failures.slice(0, 3),
    failed: failures.length,
    measured,
    perSecond: measured / seconds,
    answerMs: summarize(answerMs),
    generatorLoad,
  }
}
