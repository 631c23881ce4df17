import { type Fields, isFields, parse, short } from './json.ts'

export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly text: string
}

/** A refusal, with what the service said of it. */
export class Refused extends Error {
  readonly status: number
  readonly code: string | null
  readonly body: unknown
  /** How long to wait before the next try, in milliseconds; null when the service does not say. */
  readonly retryAfterMs: number | null

  constructor(request: string, answer: Answer, retryAfterMs: number | null) {
    super(`${request}: ${answer.status} ${short(answer.text)}`)
    this.status = answer.status
    this.body = answer.body
    this.code = isFields(answer.body) && typeof answer.body.code === 'string' ? answer.body.code : null
    this.retryAfterMs = retryAfterMs
  }
}

export interface Request {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Fields
}

/** Requests of one account, or of nobody while there is no token. */
export class Http {
  readonly base: string
  token: string | null = null

  constructor(base: string) {
    this.base = base
  }

  /** An answer of the 200s, or Refused. */
  async ask(request: Request): Promise<Answer> {
    const url = new URL(request.path, this.base)
    for (const [key, value] of Object.entries(request.query ?? {})) url.searchParams.set(key, value)
    const headers = new Headers({ accept: 'application/json' })
    if (this.token !== null) headers.set('authorization', `Bearer ${this.token}`)
    if (request.body !== undefined) headers.set('content-type', 'application/json')
    const response = await fetch(url, {
      method: request.method,
      headers,
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: AbortSignal.timeout(30_000),
    })
    const text = await response.text()
    const answer = { status: response.status, body: parse(text), text }
    if (response.ok) return answer
    throw new Refused(
      `${request.method} ${url.pathname}${url.search}`,
      answer,
      waitAsked(response.headers.get('retry-after')),
    )
  }
}

/** Retry-After is either a number of seconds or a date. */
function waitAsked(header: string | null): number | null {
  if (header === null) return null
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? null : Math.max(0, ms)
}
