import { type Clock, systemClock } from '../../../lib/clock.ts'
import { SECOND } from '../../../lib/units.ts'
import type { FcmCredentials } from '../../app-credentials.ts'
import type { PushProvider, Refusal } from '../../outcome.ts'
import type { Push } from '../../push.ts'
import { LANE_OF, type Lane } from '../../push-kinds.ts'
import { failureOfRefusal, notConfigured } from '../refusals.ts'
import { createFcmMessage, type FcmMessage } from './fcm-message.ts'
import { outcomeOfFcm } from './fcm-outcomes.ts'
import { createFcmSession, type FcmSession } from './fcm-session.ts'

export interface FcmProviderOptions {
  /** For one message of either lane, ms. Default 3,000 for calls, and 10,000 for messages, which nobody is waiting for. */
  timeoutMs?: number
  clock?: Clock
}

const TIMEOUT: Readonly<Record<Lane, number>> = { calls: 3 * SECOND, messages: 10 * SECOND }

/** Google documents neither form; these leave room on both sides of what it issues. */
const TOKEN = {
  fcm: { form: /^[\x21-\x7e]{8,4096}$/, sentence: 'An FCM token is visible ASCII, 8 to 4096 characters.' },
  fcm_fid: {
    form: /^[\w-]{22,64}$/,
    sentence: 'A Firebase installation id consists of 22 to 64 letters, digits, hyphens and underscores.',
  },
} as const

/**
 * Pushes to Android phones. Connections stay open between messages. Each lane of an app has a Firebase app and connections of its
 * own, so that a storm of messages leaves those of the calls free.
 * @param apps Credentials by app id.
 */
export function createFcmProvider(
  apps: ReadonlyMap<string, FcmCredentials>,
  { timeoutMs, clock = systemClock }: FcmProviderOptions = {},
): PushProvider {
  const open = (credentials: FcmCredentials, lane: Lane) =>
    createFcmSession(credentials, { timeoutMs: timeoutMs ?? TIMEOUT[lane], clock })
  const opened = new Map<string, Record<Lane, FcmSession>>(
    [...apps].map(([id, app]) => [id, { calls: open(app, 'calls'), messages: open(app, 'messages') }]),
  )
  return {
    async warmUp() {
      await Promise.all([...opened.values()].map(({ calls }) => calls.warmUp()))
    },

    check(push) {
      const prepared = prepare(push, clock.now())
      return 'code' in prepared ? prepared : undefined
    },

    async send(push, signal) {
      const sessions = opened.get(push.appId)
      if (!sessions) return notConfigured('FCM')
      const prepared = prepare(push, clock.now())
      if ('code' in prepared) return failureOfRefusal(prepared)
      return outcomeOfFcm(await sessions[LANE_OF[push.kind]].send(prepared, signal))
    },

    async close() {
      const sessions = [...opened.values()].flatMap((app) => Object.values(app))
      await Promise.all(sessions.map((session) => session.close()))
    },
  }
}

/** @param now Milliseconds since the epoch. */
function prepare(push: Push, now: number): FcmMessage | Refusal {
  if (push.tokenKind !== 'fcm' && push.tokenKind !== 'fcm_fid') {
    return {
      code: 'wrong_token_kind',
      sentence: 'Google takes FCM tokens and installation ids; this is neither.',
    }
  }
  const { form, sentence } = TOKEN[push.tokenKind]
  if (!form.test(push.token)) return { code: 'malformed_token', sentence }
  const tooLarge = 'The push does not fit into what FCM takes, even without names and text.'
  return createFcmMessage(push, now) ?? { code: 'payload_too_large', sentence: tooLarge }
}
