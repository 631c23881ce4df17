import type { z } from 'zod'
import { SECOND } from '../../lib/units.ts'
import {
  ConversationAnswer,
  LoginAnswer,
  MessageAnswer,
  PageAnswer,
  Refusal,
  RegisterAnswer,
  SyncAnswer,
} from './app-answers.ts'
import { NetworkFailure, type PhoneNetwork } from './phone-network.ts'

/** Wakeline said no. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export interface PhoneDescription {
  deviceId: string
  platform: 'apns' | 'fcm'
  /** That takes notifications. */
  token: string
  environment?: 'production' | 'sandbox'
}

const PATIENCE = 15 * SECOND
const PAGE = 50

interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  token?: string | undefined
  body?: unknown
  signal?: AbortSignal | undefined
}

export type AppApi = ReturnType<typeof createAppApi>

/** The REST API of the app, as a client that knows only its documentation uses it. */
export function createAppApi(url: string, network: PhoneNetwork) {
  const app = (path: string) => new URL(`/api/v1/app${path}`, url)
  const ask = async <T>(to: URL, schema: z.ZodType<T>, { method = 'GET', ...rest }: Ask): Promise<T> =>
    schema.parse(await exchange(network, to, { method, ...rest }))

  return {
    async logIn(extension: string, password: string, deviceId: string): Promise<string> {
      const body = { extension, sip_password: password, device_id: deviceId }
      return (await ask(app('/auth'), LoginAnswer, { method: 'POST', body })).data.token
    },

    async register(token: string, phone: PhoneDescription): Promise<{ id: string; device_id: string }> {
      const body = {
        ...{ device_id: phone.deviceId, platform: phone.platform, tokens: { alert: phone.token } },
        ...(phone.environment && { environment: phone.environment }),
      }
      return (await ask(new URL('/devices/register', url), RegisterAnswer, { method: 'POST', token, body }))
        .data
    },

    async unregister(token: string, id: string): Promise<void> {
      await exchange(network, app(`/devices/${id}`), { method: 'DELETE', token })
    },

    async sync(token: string, since: string | undefined, signal?: AbortSignal) {
      const query = since === undefined ? '' : `?since=${encodeURIComponent(since)}`
      return (await ask(app(`/sync${query}`), SyncAnswer, { token, signal })).data
    },

    async page(token: string, conversationId: string, signal?: AbortSignal) {
      const path = `/conversations/${conversationId}/messages?limit=${PAGE}`
      return (await ask(app(path), PageAnswer, { token, signal })).data
    },

    async conversation(token: string, conversationId: string) {
      return (await ask(app(`/conversations/${conversationId}`), ConversationAnswer, { token })).data
    },

    async converse(token: string, extension: string): Promise<string> {
      const body = { extension }
      return (await ask(app('/conversations'), ConversationAnswer, { method: 'POST', token, body })).data.id
    },

    async read(token: string, conversationId: string, seq: number): Promise<void> {
      const to = app(`/conversations/${conversationId}/read`)
      await exchange(network, to, { method: 'PUT', token, body: { seq } })
    },

    async send(token: string, conversationId: string, clientId: string, content: string) {
      const to = app(`/conversations/${conversationId}/messages`)
      const body = { client_id: clientId, content }
      return (await ask(to, MessageAnswer, { method: 'POST', token, body })).data
    },
  }
}

async function exchange(
  network: PhoneNetwork,
  url: URL,
  { token, body, signal, method }: Ask,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(PATIENCE)
  const response = await network.fetch(url, {
    ...(method && { method }),
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  })
  const text = await response.text().catch((cause: unknown) => {
    throw new NetworkFailure('the answer broke off', { cause })
  })
  if (response.ok) return text === '' ? undefined : JSON.parse(text)
  throw refusalOf(response.status, text)
}

function refusalOf(status: number, text: string): Refused {
  try {
    const { code, error } = Refusal.parse(JSON.parse(text))
    return new Refused(status, code, error)
  } catch {
    return new Refused(status, 'unknown', text.slice(0, 200))
  }
}
