import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Clock, systemClock } from '../lib/clock.ts'
import { createBoundedRecord } from './bounded-record.ts'
import { createCourier } from './courier.ts'
import { createDelays } from './delays.ts'
import { fcmKeeping } from './fcm-keeping.ts'
import { findMessageFault } from './fcm-message-checks.ts'
import {
  errorBody,
  type FcmAnswer,
  type FcmFault,
  type FcmReceived,
  type FcmSimulatorOptions,
  type FcmVerdict,
  isObject,
} from './fcm-protocol.ts'
import { createPushListeners } from './push-listeners.ts'
import { createScriptedAnswers } from './scripted-answers.ts'

const DEFAULT_RECORD = 100_000

/** A send request with its whole body, its sender and project not yet judged. */
export interface FcmArrival {
  request: IncomingMessage
  response: ServerResponse
  body: string
  /** From the path. */
  projectId: string
  isAuthorized: boolean
  connectionId: number
  at: number
  monotonic: number
}

/** What becomes of `messages:send`: judged, answered, remembered. */
export function createFcmReception(options: FcmSimulatorOptions) {
  const { projectId, record: capacity = DEFAULT_RECORD, clock = systemClock } = options
  const scripted = createScriptedAnswers<FcmAnswer>()
  const listeners = createPushListeners<FcmReceived>()
  const courier = createCourier<FcmReceived>({ ...fcmKeeping, clock }, listeners.emit)
  const record = createBoundedRecord<FcmReceived>(capacity === false ? 0 : capacity)
  const delays = createDelays()

  return {
    receive(arrival: FcmArrival): void {
      const body = parse(arrival.body)
      const message = isObject(body?.message) ? body.message : {}
      const target = message.token ?? message.fid
      const token = typeof target === 'string' ? target : ''
      const fault = findFault(arrival, body, projectId)
      const answer: FcmAnswer = fault ?? scripted.next(token) ?? { status: 200 }
      const validateOnly = (body?.validate_only ?? body?.validateOnly) === true
      const push: FcmReceived = {
        token,
        at: arrival.at,
        receivedAtMonotonic: arrival.monotonic,
        payload: isObject(message.data) ? message.data : {},
        message,
        validateOnly,
        headers: arrival.request.headers,
        verdict: verdictOf(answer),
        connectionId: arrival.connectionId,
      }
      record.add(push)
      delays.run('delayMs' in answer ? answer.delayMs : undefined, () => {
        giveAnswer(arrival.response, answer, `projects/${projectId}/messages/${messageId(validateOnly)}`)
        if (reachesPhone(answer) && !validateOnly) courier.carry(push)
      })
    },
    stop: delays.stop,
    script: {
      record,
      received: record.items,
      onAccepted: listeners.onAccepted,
      answers: scripted.once,
      behaves: scripted.always,
      forgets: scripted.forget,
      loses: courier.loses,
      regains: courier.regains,
      keptFor: courier.keptFor,
    },
  }
}

export const stampArrival = (clock: Clock = systemClock) => ({
  at: clock.now(),
  monotonic: clock.monotonic(),
})

function findFault(
  { isAuthorized, projectId }: FcmArrival,
  body: Readonly<Record<string, unknown>> | undefined,
  ownProject: string,
): FcmFault | undefined {
  if (!isAuthorized) {
    const message =
      'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.'
    return { status: 401, message }
  }
  if (projectId !== ownProject) return { status: 404, message: 'Requested entity was not found.' }
  if (!body) return { status: 400, message: 'Invalid JSON payload received.' }
  const unknown = Object.keys(body).find((key) => !['message', 'validate_only', 'validateOnly'].includes(key))
  if (unknown !== undefined) {
    return {
      status: 400,
      message: `Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`,
    }
  }
  return findMessageFault(body.message)
}

function parse(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const messageId = (validateOnly: boolean): string =>
  validateOnly ? 'fake_message_id' : `0:${Date.now()}%${randomBytes(8).toString('hex')}`

function verdictOf(answer: FcmAnswer): FcmVerdict {
  if ('silent' in answer) return { status: 0, errorCode: 'silent' }
  if ('reset' in answer) return { status: 0, errorCode: 'reset' }
  return { status: answer.status, ...(answer.errorCode !== undefined && { errorCode: answer.errorCode }) }
}

const reachesPhone = (answer: FcmAnswer): boolean =>
  'silent' in answer || ('status' in answer && answer.status === 200)

function giveAnswer(response: ServerResponse, answer: FcmAnswer, name: string): void {
  if (response.destroyed || 'silent' in answer) return
  if ('reset' in answer) {
    response.destroy()
    return
  }
  const { status, html, headers } = answer
  const body = answer.body ?? bodyOf(answer, name)
  const type = html ? 'text/html; charset=UTF-8' : 'application/json; charset=UTF-8'
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers })
  response.end(body)
}

function bodyOf(answer: Extract<FcmAnswer, { status: number }>, name: string): string {
  const { status, html, message = 'The simulator was told to refuse.' } = answer
  if (html) return `<!DOCTYPE html><title>Error ${status}</title><p>${status}.`
  return status === 200 ? JSON.stringify({ name }) : errorBody({ ...answer, message })
}
