import type { FaultClass } from '../../src/push/outcome.ts'
import type { ApnsAnswer } from '../../src/simulators/apns-protocol.ts'
import type { FcmAnswer } from '../../src/simulators/fcm-protocol.ts'
import { until } from '../support/conditions.ts'
import { query } from '../support/databases.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** RST_STREAM codes of HTTP/2. */
const [INTERNAL_ERROR, REFUSED_STREAM] = [2, 7]
const PAGE = '<!DOCTYPE html><title>Error</title>'

/**
 * How a try can end other than by a documented answer, and whose fault that is. What follows from the class is written here once
 * more: only what provably was not processed may be sent again for a call, and nothing of this ever costs a token.
 */
const APPLE: readonly [string, ApnsAnswer, FaultClass, RegExp][] = [
  ['silence', { silent: true }, 'unknown', /^no_answer$/],
  ['a stream reset', { reset: true, code: INTERNAL_ERROR }, 'unknown', /^connection_lost$/],
  ['a refused stream', { reset: true, code: REFUSED_STREAM }, 'transient', /^stream_refused$/],
  ['a GOAWAY before it', { goaway: true }, 'transient', /^stream_refused$/],
  ['a GOAWAY after it', { goaway: true, includesThis: true }, 'unknown', /^(no_answer|connection_lost)$/],
  ['a connection closed', { breaks: true }, 'unknown', /^connection_lost$/],
  ['a page with 502', { status: 502, body: PAGE }, 'transient', /^status_502$/],
  ['a page with 404', { status: 404, body: PAGE }, 'config', /^status_404$/],
  ['an unreadable 200', { status: 200, body: PAGE }, 'unknown', /^unreadable_answer$/],
  ['an unknown word with 400', { status: 400, reason: 'Tomorrow' }, 'message', /^Tomorrow$/],
  ['an unknown word with 403', { status: 403, reason: 'Tomorrow' }, 'config', /^Tomorrow$/],
  ['an unknown word with 410', { status: 410, reason: 'Tomorrow' }, 'message', /^Tomorrow$/],
  ['an unknown word with 500', { status: 500, reason: 'Tomorrow' }, 'transient', /^Tomorrow$/],
  ['a status that is none', { status: 599 }, 'transient', /^status_599$/],
]
const wordOfGoogle = (status: number): FcmAnswer => ({
  status,
  body: JSON.stringify({
    error: {
      status: 'TOMORROW',
      message: 'It may come',
      details: [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode: 'TOMORROW' }],
    },
  }),
})
const GOOGLE: readonly [string, FcmAnswer, FaultClass, RegExp][] = [
  ['silence', { silent: true }, 'unknown', /^no_answer$/],
  ['a connection closed', { reset: true }, 'unknown', /^connection_lost$/],
  ['a page with 502', { status: 502, html: true }, 'transient', /^status_502$/],
  ['a page with 404', { status: 404, html: true }, 'config', /^status_404$/],
  ['an unreadable 200', { status: 200, html: true }, 'unknown', /^unreadable_answer$/],
  ['an unknown word with 400', wordOfGoogle(400), 'message', /^TOMORROW$/],
  ['an unknown word with 403', wordOfGoogle(403), 'config', /^TOMORROW$/],
  ['an unknown word with 404', wordOfGoogle(404), 'config', /^TOMORROW$/],
  ['an unknown word with 500', wordOfGoogle(500), 'transient', /^TOMORROW$/],
]

/** How a push ends that meets the ending once, and how often the vendor then has seen it. */
const CALL: Partial<Record<FaultClass, [string, number]>> = {
  unknown: ['failed', 1],
  transient: ['delivered', 2],
  config: ['rejected', 1],
  message: ['rejected', 1],
}
const MESSAGE: typeof CALL = {
  unknown: ['delivered', 2],
  transient: ['delivered', 2],
  config: ['delivered', 2],
  message: ['rejected', 1],
}

describe.each(BACKENDS)('every ending, through the whole gateway on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  type Platform = 'apns' | 'fcm'
  const tokenFor = (platform: Platform) => (platform === 'apns' ? apnsToken() : fcmToken())
  /** Messages to iPhones go to the other gateway, so that they and the calls end no connection of each other. */
  const simulatorOf = (lane: 'call' | 'message', platform: Platform) => {
    const { apns, apnsSandbox, fcm } = gateway.simulators
    if (platform === 'fcm') return fcm
    return lane === 'call' ? apns : apnsSandbox
  }

  async function meet(lane: 'call' | 'message', platform: Platform, answer: ApnsAnswer | FcmAnswer) {
    const push_token = tokenFor(platform)
    const simulator = simulatorOf(lane, platform)
    simulator.answers(push_token, answer as ApnsAnswer & FcmAnswer)
    const environment = lane === 'call' ? 'production' : 'sandbox'
    const body = { push_platform: platform, push_token, ttl: 60, environment }
    const async = { headers: { prefer: 'respond-async' } }
    const { json } = await (lane === 'call' ? gateway.push(body, async) : gateway.message(body))
    const id: string = json.data.push_id
    const end = await gateway.ended(id, 60_000)
    const tries = await until(
      async () => {
        const rows = await query(
          gateway.database.url,
          `SELECT class, reason FROM push_attempts WHERE push_id = '${id}' ORDER BY number`,
        )
        return rows.length > 0 ? rows : undefined
      },
      { description: 'the try is in the books' },
    )
    const seen = simulator.received.filter(({ token }) => token === push_token).length
    return { state: end.status, seen, tries, token: end.token_state }
  }

  async function expectMet(
    lane: 'call' | 'message',
    platform: Platform,
    [, answer, fault, reason]: readonly [string, ApnsAnswer | FcmAnswer, FaultClass, RegExp],
  ) {
    const [state, seen] = { call: CALL, message: MESSAGE }[lane][fault] ?? []
    expect(await meet(lane, platform, answer)).toEqual({
      state,
      seen,
      tries: [{ class: fault, reason: expect.stringMatching(reason) }],
      token: 'valid',
    })
  }

  // One after the other: what ends a connection to Apple ends it for all that is on it.
  test.each(APPLE)(
    'Apple: %s, met by a call and by a message',
    async (...one) => {
      await expectMet('call', 'apns', one)
      await expectMet('message', 'apns', one)
    },
    60_000,
  )

  test('Google: all of them, met by calls and by messages', async () => {
    await Promise.all(
      GOOGLE.flatMap((one) => [expectMet('call', 'fcm', one), expectMet('message', 'fcm', one)]),
    )
  }, 90_000)
})
