import type { Redis } from 'ioredis'
import { toError } from '../lib/error.ts'
import { createChannels } from './channels.ts'
import type { SignalListener, Signals, Subscription } from './signals.ts'

/** One round trip, and nobody hears of a value that was not stored. */
const PUT_FIRST = `
  if not redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 0 end
  if ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[3], ARGV[4] .. '\\n' .. ARGV[1]) end
  return 1`
type PutFirst = (key: string, value: string, ttlMs: number, channel: string, name: string) => Promise<number>

/**
 * @param commands answers fast or fails: no offline queue, a command time-out
 * @param subscriber a connection of its own (RESP2 allows nothing else on a subscribed one); resubscribes by itself
 */
export function createRedisSignals(
  commands: Redis,
  subscriber: Redis,
  prefix: string,
  onError: (error: Error) => void,
): Signals {
  const channels = createChannels()
  const named = (name: string) => `${prefix}:${name}`
  commands.defineCommand('wakelinePutFirst', { numberOfKeys: 1, lua: PUT_FIRST })
  const { wakelinePutFirst } = commands as Redis & { wakelinePutFirst: PutFirst }
  const putFirst = wakelinePutFirst.bind(commands)

  subscriber.on('message', (channel: string, message: string) => {
    const end = message.indexOf('\n')
    channels.tell(channel.slice(prefix.length + 1), message.slice(0, end), message.slice(end + 1))
  })

  return {
    async put({ key, value, ttlMs, channel }) {
      // Sent in this order in one write; the key is there before anyone is told.
      const stored = commands.set(named(key), value, 'PX', ttlMs)
      const told = channel ? commands.publish(named(channel), `${key}\n${value}`) : undefined
      await Promise.all([stored, told])
    },

    async putFirst({ key, value, ttlMs, channel }) {
      const stored = await putFirst(named(key), value, ttlMs, channel ? named(channel) : '', key)
      return stored === 1
    },

    async claim(key, value, ttlMs) {
      if ((await commands.set(named(key), value, 'PX', ttlMs, 'NX')) !== null) return undefined
      // Gone in between: the claim expired this moment, so take it as still held.
      return (await commands.get(named(key))) ?? ''
    },

    async get(keys) {
      if (keys.length === 0) return []
      const values = await commands.mget(keys.map(named))
      return values.map((value) => value ?? undefined)
    },

    subscribe(channel: string, listener: SignalListener): Subscription {
      channels.add(channel, listener)
      // Also for a second listener: resolves only when the first one's SUBSCRIBE has been answered.
      const subscribed = subscriber.subscribe(named(channel))
      return {
        ready: subscribed.then(() => undefined),
        close() {
          if (!channels.remove(channel, listener)) return
          subscriber.unsubscribe(named(channel)).catch((error: unknown) => onError(toError(error)))
        },
      }
    },

    // Redis expires its keys.
    sweep: async () => undefined,

    async ping() {
      await commands.ping()
    },

    async close() {
      subscriber.disconnect()
      commands.disconnect()
    },
  }
}
