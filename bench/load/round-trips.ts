import { Redis } from 'ioredis'
import { openConnection } from './http-connection.ts'
import { httpRequest } from './http-request.ts'
import { type Summary, summarize } from './summary.ts'

const WARM_UP = 300

/** The parts of a wake alone, one after another: what no program on this machine can undercut. */
export async function roundTrips({
  redisUrl,
  port,
  count,
}: {
  redisUrl: string
  port: number
  count: number
}) {
  const [commands, subscriber] = [new Redis(redisUrl), new Redis(redisUrl)]
  const http = await openConnection(port)
  await subscriber.subscribe('bench')
  let arrived: (() => void) | undefined
  subscriber.on('message', () => arrived?.())

  const command = await measure(count, () => commands.ping())
  const message = await measure(count, () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    arrived = resolve
    commands.publish('bench', 'news').catch(() => undefined)
    return promise
  })
  const health = await measure(count, () => http.send(httpRequest('GET', '/healthz')))
  http.close()
  commands.disconnect()
  subscriber.disconnect()
  return { command, message, health }
}

async function measure(count: number, act: () => Promise<unknown>): Promise<Summary> {
  const times: number[] = []
  for (let i = -WARM_UP; i < count; i += 1) {
    const begin = performance.now()
    await act()
    if (i >= 0) times.push(performance.now() - begin)
  }
  return summarize(times)
}
