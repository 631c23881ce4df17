import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openConnection } from './http-connection.ts'
import { httpRequest } from './http-request.ts'
import { watchOwnLoad } from './own-load.ts'
import { summarize } from './summary.ts'

export interface Logins {
  port: number
  callers: number
  /** Each tries one of these, by chance. */
  extensions: readonly string[]
  password: string
  /** Every login comes from another address, as far as the gateway can tell. */
  fromEverywhere: boolean
  warmUpMs: number
  measureMs: number
}

/** People, or somebody who guesses, log in over and over. */
export async function logins(settings: Logins) {
  const { port, callers, extensions, password, fromEverywhere, warmUpMs, measureMs } = settings
  const answerMs: number[] = []
  const statuses: Record<string, number> = {}
  let isMeasured = false
  let isOver = false
  const address = () => Array.from({ length: 4 }, () => randomInt(1, 255)).join('.')

  const logIn = async () => {
    const connection = await openConnection(port)
    while (!isOver) {
      const extension = extensions[randomInt(extensions.length)] ?? ''
      const request = httpRequest('POST', '/api/v1/app/auth', {
        body: { extension, sip_password: password },
        ...(fromEverywhere && { headers: { 'x-forwarded-for': address() } }),
      })
      const begin = performance.now()
      const { status } = await connection.send(request)
      if (!isMeasured) continue
      statuses[status] = (statuses[status] ?? 0) + 1
      if (status === 200) answerMs.push(performance.now() - begin)
    }
    connection.close()
  }
  const all = Promise.all(Array.from({ length: callers }, logIn))
  await delay(warmUpMs)
  isMeasured = true
  const ownLoad = watchOwnLoad()
  const begin = performance.now()
  await delay(measureMs)
  isMeasured = false
  const seconds = (performance.now() - begin) / 1_000
  const generatorLoad = ownLoad()
  isOver = true
  await all
  return { perSecond: answerMs.length / seconds, answerMs: summarize(answerMs), statuses, generatorLoad }
}
