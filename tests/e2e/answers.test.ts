import { APNS_ANSWERS } from '../../src/push/providers/apns/apns-answers.ts'
import { FCM_ANSWERS } from '../../src/push/providers/fcm/fcm-answers.ts'
import type { Action } from '../../src/push/providers/verdict.ts'
import type { ApnsAnswer } from '../../src/simulators/apns-protocol.ts'
import type { FcmAnswer, FcmErrorCode } from '../../src/simulators/fcm-protocol.ts'
import { until } from '../support/conditions.ts'
import { query } from '../support/databases.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/**
 * Every answer of Apple and Google on its way through the whole gateway: request, job, provider, token, log, answer. What an action
 * means is written here once more, so that the code is not compared with itself.
 */
interface Expected {
  state: string
  token: 'valid' | 'quarantined' | 'dead'
  /** Whether a call that gets this answer is worth another try. */
  isRetried: boolean
  /** Whether a message that gets it once is delivered all the same. */
  isTransient: boolean
}
const MEANING: Record<Exclude<Action, 'hold'>, Expected> = {
  drop_token: { state: 'token_dead', token: 'dead', isRetried: false, isTransient: false },
  quarantine_token: { state: 'rejected', token: 'quarantined', isRetried: false, isTransient: false },
  // Once in each environment; the other one is asked at the other simulator.
  try_other_environment: { state: 'rejected', token: 'quarantined', isRetried: false, isTransient: false },
  fail: { state: 'rejected', token: 'valid', isRetried: false, isTransient: false },
  trim_and_resend: { state: 'rejected', token: 'valid', isRetried: false, isTransient: true },
  alarm: { state: 'rejected', token: 'valid', isRetried: false, isTransient: true },
  renew_provider_token: { state: 'failed', token: 'valid', isRetried: true, isTransient: true },
  retry: { state: 'failed', token: 'valid', isRetried: true, isTransient: true },
  keep_provider_token: { state: 'failed', token: 'valid', isRetried: true, isTransient: true },
  wait: { state: 'failed', token: 'valid', isRetried: true, isTransient: true },
  spare_phone: { state: 'failed', token: 'valid', isRetried: true, isTransient: true },
}

interface Case {
  name: string
  platform: 'apns' | 'fcm'
  status: number
  reason: string
  class: string
  action: Action
  detail: string
  expected: Expected
  answer: ApnsAnswer & FcmAnswer
}
const CASES: readonly Case[] = [
  ...APNS_ANSWERS.map((row) => ({
    name: `Apple ${row.status} ${row.reason}`,
    platform: 'apns' as const,
    ...row,
    expected: MEANING[row.action as keyof typeof MEANING],
    answer: { status: row.status, reason: row.reason },
  })),
  ...FCM_ANSWERS.map((row) => ({
    name: `Google ${row.from} ${row.status} ${row.reason} ${row.about ?? ''}`.trim(),
    platform: 'fcm' as const,
    ...row,
    expected: {
      ...MEANING[row.action as keyof typeof MEANING],
      // A minute at least, where Google names no time: that is longer than the call.
      ...(row.status === 429 && { isRetried: false }),
    },
    answer: {
      status: row.status,
      ...(row.from === 'fcm' && { errorCode: row.reason as FcmErrorCode }),
      ...(row.about && { field: 'message.token' }),
    },
  })),
]

const AT_ONCE = 16

describe.each(BACKENDS)('every answer, through the whole gateway on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const simulatorOf = ({ platform }: Case) => gateway.simulators[platform]
  /** Apple dates a dead token: after its registration. */
  const answerOf = ({ answer, status }: Case): ApnsAnswer & FcmAnswer =>
    status === 410 ? { ...answer, timestamp: Date.now() + 1_000 } : answer
  const requests = (one: Case, token: string) =>
    simulatorOf(one).received.filter((push) => push.token === token).length
  const tokenRows = (deviceKey: string) =>
    query(
      gateway.database.url,
      `SELECT t.invalidated_at, t.invalid_reason, v.state, v.reason FROM device_tokens t JOIN devices d ON d.id = t.device_id
       LEFT JOIN token_verdicts v USING (token_hash) WHERE d.device_key = '${deviceKey}'`,
    )
  /** Those of the reason, when there are at least so many: they are written apart from the end, and may come after it. */
  const triesFor = (pushId: string, reason: string, least: number) =>
    until(
      async () => {
        const tries = await query(
          gateway.database.url,
          `SELECT class, reason FROM push_attempts WHERE push_id = '${pushId}' AND environment = 'production' ORDER BY number`,
        )
        const own = tries.filter((row) => row.reason === reason)
        return own.length >= least ? own : undefined
      },
      { description: `${least} tries of ${pushId} that ended with ${reason} are in the books` },
    )
  const verdictOf = (row: Record<string, unknown> | undefined) =>
    row?.invalidated_at ? 'dead' : row?.state === 'quarantined' ? 'quarantined' : 'valid'

  test('given to a call every time', async () => {
    const seen = new Map<Case, Awaited<ReturnType<typeof giveToCall>>>()
    // So many at a time as a busy machine can hand over within the moment that a call has for it.
    const giveToAll = async (cases: readonly Case[]) => {
      for (let from = 0; from < cases.length; from += AT_ONCE) {
        const some = cases.slice(from, from + AT_ONCE)
        const given = some.map((one, index) => giveToCall(one, `${cases.length}-${from + index}`))
        for (const [index, result] of (await Promise.all(given)).entries())
          seen.set(some[index] as Case, result)
      }
    }
    // What is tried again makes Apple's connection change, again and again: the others have theirs for themselves, and so has the
    // phone that had too much, which is tried once more and no more than that.
    const isQuiet = ({ action, expected }: Case) => !expected.isRetried || action === 'spare_phone'
    await giveToAll(CASES.filter(isQuiet))
    await giveToAll(CASES.filter((one) => !isQuiet(one)))

    async function giveToCall(one: Case, extension: string) {
      const token = one.platform === 'apns' ? apnsToken() : fcmToken()
      const phone = await gateway.givenPhone({
        extension,
        platform: one.platform,
        token,
        behaviour: { registersAfterMs: 'never' },
      })
      simulatorOf(one).behaves(token, answerOf(one))
      if (one.platform === 'apns') gateway.simulators.apnsSandbox.behaves(token, answerOf(one))
      const held = await gateway.call(extension, { wait: 6, body: { ttl: 8, caller_name: 'Ada' } })
      expect([held.status, held.text]).toEqual([200, expect.any(String)])
      const call = held.json.data
      const [push] = call.pushes
      const told = await gateway.ended(push.push_id)
      const [tokenRow] = await tokenRows(phone.deviceId)
      return {
        name: one.name,
        outcome: call.outcome,
        answer: { status: push.status, reason: push.reason },
        log: {
          status: told.status,
          reason: told.reason,
          provider_status: told.provider_status,
          token: told.token_state,
        },
        saysWhy: String(told.detail).startsWith(one.detail.slice(0, -1)),
        token: verdictOf(tokenRow),
        // Others make Apple's connection change while this one is on its way; what counts is the answer.
        isRetried: (await triesFor(push.push_id, one.reason, one.expected.isRetried ? 2 : 1)).length > 1,
        isResent: requests(one, token) > 1,
      }
    }
    expect(CASES.map((one) => seen.get(one))).toEqual(
      CASES.map(({ name, status, reason, expected }) => ({
        name,
        outcome: 'unreachable',
        answer: { status: expected.state, reason },
        log: { status: expected.state, reason, provider_status: status, token: expected.token },
        saysWhy: true,
        token: expected.token,
        isRetried: expected.isRetried,
        isResent: expected.isRetried || reason === 'PayloadTooLarge',
      })),
    )
  }, 120_000)

  test('given to a message once', async () => {
    const sent = await Promise.all(
      CASES.map(async (one) => {
        const push_token = one.platform === 'apns' ? apnsToken() : fcmToken()
        simulatorOf(one).answers(push_token, answerOf(one))
        if (one.reason === 'BadDeviceToken') gateway.simulators.apnsSandbox.behaves(push_token, answerOf(one))
        const body = { push_platform: one.platform, push_token, ttl: 120 }
        const { json } = await gateway.message(body)
        return { one, id: json.data.push_id as string }
      }),
    )
    const seen = await Promise.all(
      sent.map(async ({ one, id }) => {
        // Google asks for a minute of patience; what is waited for here is that the first try is in the books.
        if (one.expected.isTransient && one.platform === 'fcm' && one.status === 429) {
          const tries = await until(
            async () => {
              const rows = await query(
                gateway.database.url,
                `SELECT class, reason FROM push_attempts WHERE push_id = '${id}'`,
              )
              return rows.length > 0 ? rows : undefined
            },
            { timeoutMs: 60_000, description: `${one.name} is in the books` },
          )
          return { name: one.name, state: 'waits', tries }
        }
        const told = await gateway.ended(id, 45_000)
        // Others make Apple's connection change while this one is on its way; what counts is the answer.
        const tries = await triesFor(id, one.reason, one.reason === 'PayloadTooLarge' ? 0 : 1)
        return { name: one.name, state: told.status, tries }
      }),
    )
    expect(seen).toEqual(
      CASES.map(({ name, platform, status, reason, expected, ...row }) => {
        const isTrimmed = reason === 'PayloadTooLarge'
        const waits = platform === 'fcm' && status === 429
        return {
          name,
          state: waits ? 'waits' : expected.isTransient ? 'delivered' : expected.state,
          // One that was trimmed is sent again within its try.
          tries: isTrimmed ? [] : [{ class: row.class, reason }],
        }
      }),
    )
  }, 90_000)
})
