import { randomUUID } from 'node:crypto'
import type { ClientRequest } from 'node:http'
import { type App, deleteApp, initializeApp } from 'firebase-admin/app'
import { getMessaging, type Messaging } from 'firebase-admin/messaging'
import type { Clock } from '../../../lib/clock.ts'
import type { FcmCredentials } from '../../app-credentials.ts'
import { AccessTokenError, type AccessTokens, createAccessTokens } from './fcm-access-token.ts'
import { FcmAgent } from './fcm-agent.ts'
import { type Attempt, createAttempts } from './fcm-attempt.ts'
import { readThrown, refusalOf } from './fcm-failures.ts'
import type { FcmMessage } from './fcm-message.ts'
import { isUnauthenticated } from './fcm-outcomes.ts'
import type { FcmFailure, FcmReply } from './fcm-reply.ts'

export interface FcmSessionOptions {
  /** For one message, a fresh access token included; ms. */
  timeoutMs: number
  clock: Clock
}

/** Google's names of messages are shorter. */
const MAX_NAME = 500

/** The messages of one Firebase project. */
export interface FcmSession {
  /** Gets an access token. Never rejects: what is in the way, the first message meets again. */
  warmUp(): Promise<void>
  /** Never rejects. @param signal Ends the try; firebase-admin's request is ended with it. */
  send(message: FcmMessage, signal: AbortSignal): Promise<FcmReply>
  /** Waits for the answers on their way, no longer than their time-out. */
  close(): Promise<void>
}

/** A connection by way of firebase-admin's `send`, without its retries: they know no deadline and may ring twice. */
export function createFcmSession(credentials: FcmCredentials, options: FcmSessionOptions): FcmSession {
  const { timeoutMs, clock } = options
  const agent = new FcmAgent(credentials)
  const tokens = createAccessTokens(credentials, agent, clock)
  const app = openApp(credentials, agent, tokens)
  const messaging = withoutRetries(getMessaging(app))
  const attempts = createAttempts()
  const inFlight = new Set<Promise<FcmReply>>()
  let isClosed = false

  const hasLeft = ({ request }: Attempt): boolean => !!request?.socket && agent.hasEstablished(request.socket)

  async function sendOnce(message: FcmMessage, attempt: Attempt): Promise<FcmReply> {
    try {
      await tokens.current()
    } catch (error) {
      return withoutToken(error)
    }
    if (attempt.isCancelled) return outOfTime(false)
    try {
      const name: unknown = await attempts.run(attempt, () => messaging.send(message))
      return typeof name === 'string' && name !== '' && name.length <= MAX_NAME
        ? { messageId: name }
        : { ending: 'unreadable_answer', status: 200 }
    } catch (error) {
      const { request, response } = attempt
      const progress = { hasRequest: request !== undefined, hasLeft: hasLeft(attempt), response }
      const reply = readThrown(error, progress, clock)
      return isUnauthenticated(reply) && tokens.renew(tokenOf(request)) ? TOKEN_RENEWED : reply
    }
  }

  async function sendInTime(message: FcmMessage, signal: AbortSignal): Promise<FcmReply> {
    const { promise, resolve } = Promise.withResolvers<FcmReply>()
    const attempt: Attempt = {
      isCancelled: false,
      onTooLong: (response) => resolve(refusalOf(response, undefined, clock)),
    }
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
    warmUp: () =>
      tokens.current().then(
        () => undefined,
        () => undefined,
      ),

    async send(message, signal) {
      if (isClosed) return { ending: 'shutting_down' }
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

function openApp({ projectId }: FcmCredentials, httpAgent: FcmAgent, tokens: AccessTokens): App {
  // With nothing left of its life the token is asked for before each message, so that ours is the only cache.
  const getAccessToken = async () => ({ access_token: await tokens.current(), expires_in: 0 })
  // Never the default app: it is global, and a second instance in this process would get the first one's credentials.
  const name = `wakeline-${randomUUID()}`
  return initializeApp({ projectId, httpAgent, credential: { getAccessToken } }, name)
}

const TOKEN_RENEWED: FcmFailure = { ending: 'access_token_renewed', status: 401 }

/** Not the one of the moment: that may have been renewed since. */
const tokenOf = (request: ClientRequest | undefined): string =>
  String(request?.getHeader('authorization') ?? '').replace(/^Bearer /i, '')

const outOfTime = (hasLeft: boolean): FcmFailure => ({ ending: hasLeft ? 'no_answer' : 'not_sent_in_time' })

function withoutToken(error: unknown): FcmFailure {
  if (!(error instanceof AccessTokenError)) throw error
  return { ending: error.isOurFault ? 'service_account_refused' : 'no_access_token', code: error.message }
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
