import type { Item } from '../history/history.ts'
import { TERMINAL } from '../history/history.ts'
import type { Random } from './random.ts'

/**
 * Extensions with a phone each; few, so that their phones are known by heart when the database is away, and so many that none of them is
 * called more often than the 30 times a minute that an extension may be.
 */
export const PHONES = 8
export interface Phone {
  extension: string
  deviceId: string
  token: string
}

export const createPhones = (random: Random): Phone[] =>
  Array.from({ length: PHONES }, (_, index) => ({
    extension: `${100 + index}`,
    deviceId: `phone-${100 + index}`,
    token: random.hex(32),
  }))

/** Shares of the calls; the others do not wait. */
const HELD = 0.05
const WAITED = 0.1

/** A call as one of its callers makes it. Held ones go to phones that are known, the others bring their token. */
export function nextCall(random: Random, phones: readonly Phone[]): Item {
  const dice = random.next()
  if (dice < HELD) return callTo(random, random.pick(phones))
  const mode = dice < HELD + WAITED ? 'waited' : 'async'
  return { ...newCall(random), mode, ...nextToken(random, 0.2) }
}

/** A held call. */
export const callTo = (random: Random, { token }: Phone): Item => ({
  ...newCall(random),
  mode: 'held',
  provider: 'apns',
  token,
})

const newCall = (random: Random) =>
  ({ subject: `${random.hex(8)}@10.0.0.5`, lane: 'calls', ends: TERMINAL }) as const

/** A message to a phone of its own, which a vendor takes. */
export const nextMessage = (random: Random): Item => ({
  subject: `m-${random.hex(8)}`,
  lane: 'messages',
  mode: 'stored',
  ...nextToken(random, 0.5),
  ends: ['delivered'],
})

const nextToken = (random: Random, shareOfGoogle: number): Pick<Item, 'provider' | 'token'> =>
  random.chance(shareOfGoogle)
    ? { provider: 'fcm', token: `${random.hex(11)}:APA91b${random.hex(64)}` }
    : { provider: 'apns', token: random.hex(32) }
