import { SECOND } from '../../src/lib/units.ts'
import { until } from '../../tests/support/conditions.ts'
import type { Row, Stage } from './row.ts'

/** Without Redis a call may be sent from where it came in, while a worker still has it. */
const storeOf = async ({ disruptions }: Stage, hurt: () => Promise<void>): Promise<void> => {
  const at = Date.now()
  await hurt()
  disruptions.push({ kind: 'store', lane: 'calls', at, until: Date.now() })
}

/** Messages that a vendor refused for now, and whose next try is known to Redis alone. */
const TROUBLED = 0.3
async function leaveSomeWaiting({ stack, load, random, lasting }: Stage): Promise<void> {
  const { apns, fcm } = stack.simulators
  const headers = { 'retry-after': '4' }
  load.script((item) => {
    if (item.lane !== 'messages' || !random.chance(TROUBLED)) return item
    if (item.provider === 'fcm') fcm.answers(item.token, { status: 503, errorCode: 'UNAVAILABLE', headers })
    else apns.answers(item.token, { status: 503, reason: 'ServiceUnavailable', headers })
    return item
  })
  await lasting(2 * SECOND, SECOND)
  load.script(undefined)
}

export const killedRedis: Row = {
  title: 'Redis is killed, and started again after 5 s with what it had on disk',
  callsSent: 0.99,
  async hurt(stage) {
    await leaveSomeWaiting(stage)
    await storeOf(stage, async () => {
      await stage.stack.redis.kill()
      await stage.lasting(5 * SECOND, 2 * SECOND)
      await stage.stack.redis.start()
    })
  },
}

export const wipedRedis: Row = {
  title: 'Redis loses everything: once while it is down, once while it runs',
  hurt: (stage) =>
    storeOf(stage, async () => {
      const { redis } = stage.stack
      await leaveSomeWaiting(stage)
      await redis.kill()
      await redis.forget()
      await redis.start()
      await stage.lasting(5 * SECOND, SECOND)
      await leaveSomeWaiting(stage)
      await redis.run('FLUSHALL')
    }),
}

export const frozenRedis: Row = {
  title: 'Redis does not answer for 3 s',
  callsSent: 0.99,
  hurt: (stage) =>
    storeOf(stage, async () => {
      stage.stack.redis.freeze()
      await stage.lasting(3 * SECOND, 3 * SECOND)
      stage.stack.redis.thaw()
    }),
}

export const cutConnections: Row = {
  title: 'all connections to Redis are cut every second for 30 s',
  callsSent: 0.99,
  hurt: (stage) =>
    storeOf(stage, async () => {
      const { redis } = stage.stack
      for (let cut = 0; cut < (stage.isShort ? 4 : 30); cut += 1) {
        await redis.run('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        await redis.run('CLIENT', 'KILL', 'TYPE', 'pubsub')
        await stage.lasting(SECOND, SECOND)
      }
    }),
}

/** What a load balancer sees of an API. */
async function isReady(url: string): Promise<boolean> {
  const { status } = await fetch(`${url}/readyz`)
  return status === 200
}
const READY_MS = 5 * SECOND

export const absentRedis: Row = {
  title: 'Redis is not there when the programs start, and comes 10 s later',
  stack: { redis: 'absent' },
  atOnce: true,
  callsSent: 0.99,
  hurt: (stage) =>
    storeOf(stage, async () => {
      const { redis } = stage.stack
      const { urls } = stage.stack
      const early = (await Promise.all(urls.map(isReady))).filter(Boolean).length
      await stage.lasting(10 * SECOND, 3 * SECOND)
      await redis.start()
      const recovered = await until(async () => (await Promise.all(urls.map(isReady))).every(Boolean), {
        timeoutMs: READY_MS,
        description: 'every API is ready',
      }).catch(() => false)
      stage.alsoHolds({
        readiness: () => [
          ...(early > 0 ? [`${early} APIs were ready without Redis`] : []),
          ...(recovered ? [] : [`not ready ${READY_MS} ms after Redis came`]),
        ],
      })
    }),
}
