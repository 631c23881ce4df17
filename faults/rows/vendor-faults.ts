import { SECOND } from '../../src/lib/units.ts'
import type { Simulators } from '../../src/simulators/simulators.ts'
import type { Equation } from '../history/equations.ts'
import type { Item } from '../history/history.ts'
import type { Row, Stage } from './row.ts'
import { DOCUMENTED, type Trouble, UNDOCUMENTED } from './vendor-answers.ts'

/** Few enough that nobody takes them for an outage of the vendor. */
const TROUBLED = 0.25

/** Some pushes get these answers at their first try, in turn. */
const troubles = (title: string, answers: readonly Trouble[]): Row => ({
  title,
  async hurt({ stack, load, random, lasting }) {
    const next = { apns: inTurn(answers, 'apns'), fcm: inTurn(answers, 'fcm') }
    load.script((item) => {
      if (item.mode === 'held' || !random.chance(TROUBLED)) return item
      const trouble = next[item.provider]()
      answerOnce(stack.simulators, item, trouble)
      return { ...item, ends: item.lane === 'calls' ? trouble.callEnds : [trouble.end] }
    })
    await lasting(20 * SECOND, 8 * SECOND)
    load.script(undefined)
  },
})

function inTurn(answers: readonly Trouble[], provider: Trouble['provider']): () => Trouble {
  const own = answers.filter((trouble) => trouble.provider === provider)
  let given = 0
  return () => {
    given += 1
    const trouble = own[given % own.length]
    if (!trouble) throw new Error(`no trouble with ${provider}`)
    return trouble
  }
}

function answerOnce({ apns, fcm }: Simulators, { token }: Item, { provider, answer }: Trouble): void {
  if (provider === 'apns') apns.answers(token, answer)
  else fcm.answers(token, answer)
}

export const documentedErrors = troubles('every error that Apple and Google document', DOCUMENTED)
export const undocumentedErrors = troubles('answers that no page mentions', UNDOCUMENTED)

/** Everybody but the phones that are called twice, who must not stay silent for the calls that come after. */
export const silentVendors: Row = {
  title: 'Apple and Google take everything for 10 s and answer nothing',
  callsSent: 0.99,
  healMs: 90 * SECOND,
  async hurt({ stack, load, lasting }) {
    const { apns, fcm } = stack.simulators
    const silent = new Set<Item>()
    load.script((item) => {
      if (item.mode === 'held') return item
      silent.add(item)
      ;({ apns, fcm })[item.provider].behaves(item.token, { silent: true })
      return item
    })
    await lasting(10 * SECOND, 4 * SECOND)
    load.script(undefined)
    for (const { provider, token } of silent) ({ apns, fcm })[provider].forgets(token)
  },
}

/** What the vendor asked for, and when the next try may come (ms after the first, with what the machine takes). */
interface Pause {
  value: () => string
  minMs: number
  maxMs: number
  /** The vendor asked for nothing that makes sense: a call is sent again sooner than a message. */
  isOurs?: true
}
const OWN_PAUSE = { minMs: SECOND / 2, maxMs: SECOND, isOurs: true } as const
const OWN_CALL_PAUSE_MS = SECOND / 4
/** A second of `Retry-After` is between four fifths and six fifths of one. */
const LESS = 0.8
const MORE = 1.2
/** For the queue to notice, and for a machine that has other things to do. */
const NOTICE_MS = 1.5 * SECOND

const PAUSES: readonly Pause[] = [
  { value: () => '0', ...OWN_PAUSE },
  { value: () => '3', minMs: 3 * SECOND, maxMs: 3 * SECOND },
  // A date has whole seconds.
  { value: () => new Date(Date.now() + 5 * SECOND).toUTCString(), minMs: 4 * SECOND, maxMs: 5 * SECOND },
  { value: () => 'soon', ...OWN_PAUSE },
]
const TOO_LONG = '120'
const TTL = 20

export const retryAfter: Row = {
  title: '429 and 503 with Retry-After: 0, 3, a date, junk, and longer than the push lives',
  async hurt({ stack, load, random, lasting, alsoHolds }) {
    const asked = new Map<string, Pause>()
    load.script((item) => {
      if (item.mode === 'held' || !random.chance(TROUBLED)) return item
      if (random.chance(0.2)) {
        answerOnce(stack.simulators, item, refusalWith(random, item, TOO_LONG))
        return { ...item, ttl: TTL, ends: ['failed'] }
      }
      const pause = random.pick(PAUSES)
      asked.set(item.subject, pause)
      answerOnce(stack.simulators, item, refusalWith(random, item, pause.value()))
      return item
    })
    await lasting(20 * SECOND, 6 * SECOND)
    load.script(undefined)
    alsoHolds({ 'pause not kept': pausesKept(asked) })
  },
}

/** With 429 Google is given a minute and Apple ten seconds when the header says nothing. */
function refusalWith(random: Stage['random'], { provider }: Item, value: string): Trouble {
  const headers = { 'retry-after': value }
  const taken = { end: 'delivered', callEnds: ['delivered'] } as const
  const isUsable = value !== 'soon'
  if (provider === 'fcm') {
    return random.chance(0.5) && isUsable
      ? { ...taken, provider, answer: { status: 429, errorCode: 'QUOTA_EXCEEDED', headers } }
      : { ...taken, provider, answer: { status: 503, errorCode: 'UNAVAILABLE', headers } }
  }
  return random.chance(0.5) && isUsable
    ? { ...taken, provider, answer: { status: 429, reason: 'TooManyRequests', headers } }
    : { ...taken, provider, answer: { status: 503, reason: 'ServiceUnavailable', headers } }
}

const pausesKept =
  (asked: ReadonlyMap<string, Pause>): Equation =>
  ({ lags }, stories) =>
    stories.flatMap(({ item, receipts }) => {
      const pause = asked.get(item.subject)
      const [first, second] = receipts
      if (!pause || !first || !second) return []
      const ms = second.at - first.at
      const minMs = pause.isOurs && item.lane === 'calls' ? OWN_CALL_PAUSE_MS : pause.minMs
      const late = lags.reduce(
        (sum, lag) => (lag.at > first.at && lag.at < second.at ? sum + lag.ms : sum),
        0,
      )
      if (ms >= minMs * LESS && ms <= pause.maxMs * MORE + NOTICE_MS + late) return []
      return [`${item.subject} (${item.provider}): ${ms} ms after being asked for ${minMs} to ${pause.maxMs}`]
    })
