import { setTimeout as delay } from 'node:timers/promises'
import { SECOND } from '../../src/lib/units.ts'
import type { Simulators } from '../../src/simulators/simulators.ts'
import type { ClientAnswer, Item } from '../history/history.ts'
import { type Client, createClient } from './client.ts'
import { callTo, createPhones, nextCall, nextMessage, type Phone } from './items.ts'
import { startPace } from './pace.ts'
import type { Random } from './random.ts'
import { type Keys, pushIdIn, requestOf } from './requests.ts'

export interface LoadOptions {
  callsPerSecond: number
  messagesPerSecond: number
  random: Random
  urls: readonly string[]
  keys: Keys
  simulators: Simulators
}

/** Clients that do not stop because something fails. */
export interface Load {
  items: readonly Item[]
  answers: readonly ClientAnswer[]
  /**
   * Calls each phone once at each API: by that an API knows it when the database is away. One after the other, because how programs that
   * have started this moment take a burst is not what is looked at here.
   */
  meet(): Promise<void>
  begin(): void
  /** Sees each new item before it is asked for, and may change it: how vendors answer hangs on its token. */
  script(decide: ((item: Item) => Item) | undefined): void
  /** One item besides the others. */
  ask(item: Item): Promise<ClientAnswer>
  /** Asks for nothing new, and resolves when everything is answered. */
  stop(): Promise<void>
}

/** Messages that are accepted and asked for once more with the same key, by a client that has lost the answer. */
const REPEATED = 0.1
/** Who was told to come back does so this often, longer than any fault, and less and less often: a storm of them is another fault. */
const MAX_TRIES = 20
const LONGEST_PAUSE = 16
/** Between these calls. */
const MEET_MS = 50

export async function openLoad(options: LoadOptions): Promise<Load & AsyncDisposable> {
  const { random, urls, callsPerSecond, messagesPerSecond } = options
  const client = createClient()
  const phones = createPhones(random.fork())
  await introduce(client, phones, options)
  const asker = createAsker(client, phones, options)
  const dice = { calls: random.fork(), messages: random.fork(), repeats: random.fork() }
  let decide: (item: Item) => Item = (item) => item
  const paces: { stop(): Promise<void> }[] = []

  const call = () => void asker.ask(decide(nextCall(dice.calls, phones)))
  const message = async (): Promise<void> => {
    const item = decide(nextMessage(dice.messages))
    const isRepeated = dice.repeats.chance(REPEATED)
    const url = dice.repeats.pick(urls)
    await asker.ask(item)
    if (isRepeated) await asker.again(item, url)
  }

  return {
    items: asker.items,
    answers: asker.answers,
    async meet() {
      for (const url of urls) {
        for (const phone of phones) {
          void asker.ask(callTo(dice.calls, phone), url)
          await delay(MEET_MS)
        }
      }
    },
    begin() {
      paces.push(startPace(callsPerSecond, random.fork(), call))
      paces.push(startPace(messagesPerSecond, random.fork(), () => asker.track(message())))
    },
    script(next) {
      decide = next ?? ((item) => item)
    },
    ask: asker.ask,
    async stop() {
      await Promise.all(paces.map((pace) => pace.stop()))
      await asker.idle()
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(paces.map((pace) => pace.stop()))
      client.close()
    },
  }
}

function createAsker(client: Client, phones: readonly Phone[], { urls, keys, random }: LoadOptions) {
  const items: Item[] = []
  const answers: ClientAnswer[] = []
  const open = new Set<Promise<unknown>>()
  const dice = random.fork()
  const track = <T>(work: Promise<T>): Promise<T> => {
    open.add(work)
    void work.finally(() => open.delete(work))
    return work
  }

  const again = async (item: Item, url: string): Promise<ClientAnswer & { retryAfter: number }> => {
    const { path, headers, body } = requestOf(item, keys, phones)
    const sentAt = Date.now()
    const { status, json, retryAfter } = await client.send(url + path, 'POST', headers, body)
    const pushId = pushIdIn(json)
    const answer = {
      subject: item.subject,
      sentAt,
      answeredAt: Date.now(),
      status,
      hasRetryAfter: retryAfter !== undefined,
      ...(pushId !== undefined && { pushId }),
      ...(item.mode === 'held' && { outcome: String(json?.data?.outcome) }),
    }
    answers.push(answer)
    return { ...answer, retryAfter: retryAfter ?? 1 }
  }

  /** A message that was not taken is brought again; a call is not, its caller has been sent to voicemail. */
  const insist = async (item: Item, first?: string): Promise<ClientAnswer> => {
    for (let tries = 1; ; tries += 1) {
      const url = tries === 1 ? first : undefined
      const answer = await again(item, url ?? dice.pick(urls))
      const isOver = (answer.status !== 503 && answer.status !== 0) || item.lane === 'calls'
      if (isOver || tries === MAX_TRIES) return answer
      const pause = Math.min(answer.retryAfter * 2 ** (tries - 1), LONGEST_PAUSE)
      await delay(pause * SECOND * (1 + dice.next()))
    }
  }

  return {
    items,
    answers,
    track: (work: Promise<unknown>) => void track(work),
    again: (item: Item, url: string) => again(item, url),
    ask(item: Item, first?: string): Promise<ClientAnswer> {
      items.push(item)
      return track(insist(item, first))
    },
    /** Resolves when nothing waits for an answer. */
    async idle() {
      while (open.size > 0) await Promise.all(open)
    },
  }
}

/** Half of the phones register as soon as they are woken, at whatever API; the others stay away. */
async function introduce(client: Client, phones: readonly Phone[], options: LoadOptions): Promise<void> {
  const { urls, keys, simulators } = options
  const dice = options.random.fork()
  const headers = { authorization: `Bearer ${keys.pbxKey}` }
  const anyApi = () => `${dice.pick(urls)}/api/v1/pbx`
  for (const [index, { extension, deviceId, token }] of phones.entries()) {
    const device = { tokens: [{ kind: 'apns_voip', token }] }
    const steps = [
      await client.send(`${anyApi()}/extensions/${extension}`, 'PUT', headers, {}),
      await client.send(`${anyApi()}/extensions/${extension}/devices/${deviceId}`, 'PUT', headers, device),
    ]
    const refused = steps.find(({ status }) => status !== 200)
    if (refused) throw new Error(`a phone was refused: ${refused.status} ${JSON.stringify(refused.json)}`)
    if (index % 2 === 1) continue
    const registration = { extension, device_id: deviceId }
    simulators.apns.onAccepted(() => {
      void client.send(`${anyApi()}/registrations`, 'POST', headers, registration)
    }, token)
  }
}
