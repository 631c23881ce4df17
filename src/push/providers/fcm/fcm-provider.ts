import { type Clock, systemClock } from '../../../lib/clock.ts'
import { SECOND } from '../../../lib/units.ts'
import type { FcmCredentials } from '../../app-credentials.ts'
import type { Outcome, PushProvider } from '../../push.ts'
import { outcomeOfFcm } from './fcm-answers.ts'
import { createFcmMessage } from './fcm-message.ts'
import { createFcmSession } from './fcm-session.ts'

export interface FcmProviderOptions {
  /** For one message, ms. Default 3,000. */
  timeoutMs?: number
  clock?: Clock
}

/**
 * Calls to Android phones. Connections stay open between messages; one Firebase app per entry.
 * @param apps Credentials by app id.
 */
export function createFcmProvider(
  apps: ReadonlyMap<string, FcmCredentials>,
  { timeoutMs = 3 * SECOND, clock = systemClock }: FcmProviderOptions = {},
): PushProvider {
  const sessions = new Map(
    [...apps].map(([id, credentials]) => [id, createFcmSession(credentials, { timeoutMs, clock })]),
  )
  return {
    async send(push, signal) {
      const session = sessions.get(push.appId)
      if (!session)
        return rejected('provider_not_configured', 'This gateway has no FCM credentials for the app.')
      if (push.token === '') return rejected('malformed_token', 'The device token is empty.')
      return outcomeOfFcm(await session.send(createFcmMessage(push, clock.now()), signal))
    },

    async close() {
      await Promise.all([...sessions.values()].map((session) => session.close()))
    },
  }
}

const rejected = (reason: string, detail: string): Outcome => ({ kind: 'rejected', reason, detail })
