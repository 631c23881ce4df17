import { setTimeout as delay } from 'node:timers/promises'
import { openConnection } from './http-connection.ts'
import { watchOwnLoad } from './own-load.ts'
import { summarize } from './summary.ts'

export interface ClosedLoopRequests {
  port: number
  /** As it goes over the wire. */
  request: string
  /** Part of every good answer. */
  expected: string
  callers: number
  warmUpMs: number
  measureMs: number
}

/** Callers who send the same request over and over, each after its answer. */
export async function closedLoopRequests(settings: ClosedLoopRequests) {
  const { port, request, expected, callers, warmUpMs, measureMs } = settings
  const answerMs: number[] = []
  let failed = 0
  let isMeasured = false
  let isOver = false

  const call = async () => {
    const connection = await openConnection(port)
    while (!isOver) {
      const begin = performance.now()
      const { status, body } = await connection.send(request)
      if (status !== 200 || !body.includes(expected)) failed += 1
      if (isMeasured) answerMs.push(performance.now() - begin)
    }
    connection.close()
  }
  const all = Promise.all(Array.from({ length: callers }, call))
  await delay(warmUpMs)
  isMeasured = true
  const ownLoad = watchOwnLoad()
  const begin = performance.now()
  await delay(measureMs)
  isMeasured = false
  const perSecond = answerMs.length / ((performance.now() - begin) / 1_000)
  const generatorLoad = ownLoad()
  isOver = true
  await all
  return { failed, perSecond, answerMs: summarize(answerMs), generatorLoad }
}
