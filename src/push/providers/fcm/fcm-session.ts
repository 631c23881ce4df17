import { randomUUID } from 'node:crypto'
import { deleteApp, initializeApp } from 'firebase-admin/app'
import { getMessaging, type Messaging, type TokenMessage } from 'firebase-admin/messaging'
import type { Clock } from '../../../lib/clock.ts'
import type { FcmCredentials } from '../../app-credentials.ts'
import { AccessTokenError, createAccessTokens } from './fcm-access-token.ts'
import { FcmAgent } from './fcm-agent.ts'
import { isUnauthenticated } from './fcm-answers.ts'
import { type Attempt, createAttempts } from './fcm-attempt.ts'
import { readThrown } from './fcm-failures.ts'
import { type FcmFailure, type FcmReply, notSent, rejected, unknown } from './fcm-reply.ts'

export interface FcmSessionOptions {
  /** For one message, a fresh access token included; ms. */
  timeoutMs: number
  clock: Clock
}

/** The messages of one Firebase project. */
export interface FcmSession {
  /** Never rejects. @param signal Ends the try; firebase-admin's request is ended with it. */
  send(message: TokenMessage, signal: AbortSignal): Promise<FcmReply>
  /** Waits for the answers on their way, no longer than their time-out. */
  close(): Promise<void>
}

/** A connection by way of firebase-admin's `send`, without its retries: they know no deadline and may ring twice. */
export function createFcmSession(credentials: FcmCredentials, options: FcmSessionOptions): FcmSession {
  const { timeoutMs, clock } = options
  const agent = new FcmAgent(credentials)
  const tokens = createAccessTokens(credentials, agent, clock)
  // Never the default app: it is global, and a second instance in this process would get the first one's credentials.
  const app = initializeApp(
    {
      projectId: credentials.projectId,
      httpAgent: agent,
      // With nothing left of its life the token is asked for before each message, so that ours is the only cache.
      credential: {
        getAccessToken: async () => ({ access_token: await tokens.current(), expires_in: 0 }),
      },
    },
    `wakeline-${randomUUID()}`,
  )
  const messaging = withoutRetries(getMessaging(app))
  const attempts = createAttempts()
  const inFlight = new Set<Promise<FcmReply>>()
  let isClosed = false

  const hasLeft = ({ request }: Attempt): boolean => !!request?.socket && agent.hasEstablished(request.socket)

  async function sendOnce(message: TokenMessage, attempt: Attempt): Promise<FcmReply> {
    try {
      await tokens.current()
    } catch (error) {
      return withoutToken(error)
    }
    if (attempt.isCancelled) return outOfTime(false)
    try {
      const messageId = await attempts.run(attempt, () => messaging.send(message))
      return messageId ? { messageId } : unknown('unreadable_answer', 'Google named no message.')
    } catch (error) {
      const reply = readThrown(
        error,
        { hasRequest: attempt.request !== undefined, hasLeft: hasLeft(attempt) },
        clock,
      )
      return isUnauthenticated(reply) && tokens.renew() ? TOKEN_RENEWED : reply
    }
  }

  async function sendInTime(message: TokenMessage, signal: AbortSignal): Promise<FcmReply> {
    const attempt: Attempt = { isCancelled: false }
    const { promise, resolve } = Promise.withResolvers<FcmReply>()
    const giveUp = () => {
      resolve(outOfTime(hasLeft(attempt)))
      attempts.cancel(attempt)
    }
    const timer = setTimeout(giveUp, timeoutMs)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await Promise.race([promise, sendOnce(message, attempt)])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
  }

  return {
    async send(message, signal) {
      if (isClosed) return notSent('shutting_down', 'This node is shutting down.')
      if (signal.aborted) return outOfTime(false)
      const work = sendInTime(message, signal)
      inFlight.add(work)
      try {
        return await work
      } finally {
        inFlight.delete(work)
      }
    },

    async close() {
      if (isClosed) return
      isClosed = true
      await Promise.allSettled(inFlight)
      attempts.close()
      agent.destroy()
      await deleteApp(app)
    },
  }
}

const TOKEN_RENEWED = notSent(
  'access_token_renewed',
  'Google refused the access token; a new one is fetched.',
)

const outOfTime = (hasLeft: boolean): FcmFailure =>
  hasLeft
    ? unknown('no_answer', 'FCM took the message and did not answer in time.')
    : notSent('not_sent_in_time', 'The message could not be handed to FCM in time.')

function withoutToken(error: unknown): FcmFailure {
  if (!(error instanceof AccessTokenError)) throw error
  return error.isOurFault
    ? rejected('service_account_refused', `Google refused the service account (${error.message}).`)
    : notSent('no_access_token', `No access token could be fetched from Google (${error.message}).`)
}

/** @throws With another version of firebase-admin than the one this file was written for. */
function withoutRetries(messaging: Messaging): Messaging {
  const { messagingRequestHandler: handler } = messaging as unknown as {
    messagingRequestHandler?: { httpClient?: { retry?: { maxRetries: number } } }
  }
  const retry = handler?.httpClient?.retry
  if (!retry) throw new Error('firebase-admin has changed: its retries cannot be switched off this way')
  retry.maxRetries = 0
  return messaging
}
