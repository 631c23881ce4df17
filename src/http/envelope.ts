import { pipeline } from 'node:stream/promises'
import type { RequestHandler, Response } from 'express'
import { Problem } from '../lib/problem.ts'
import { authRequest } from './auth-request.ts'
import type { AnswerSigner, Reply } from './route.ts'

/** From here on what is sent is signed, also what refuses the body. */
export const signAnswers =
  (signer: AnswerSigner): RequestHandler =>
  (_request, response, next) => {
    response.locals.signer = signer
    next()
  }

export function sendReply(response: Response, reply: Reply): void {
  response.status(reply.status ?? 200)
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  if (reply.text !== undefined) send(response.type('text/plain'), reply.text)
  else sendJson(response, reply.raw !== undefined ? reply.raw : { data: reply.data ?? null })
}

function sendJson(response: Response, value: unknown): void {
  if (!response.hasHeader('Content-Type')) response.type('application/json')
  send(response, JSON.stringify(value))
}

/** One text in one piece: nothing after this changes a byte of it, so its signature holds. */
function send(response: Response, text: string): void {
  const { signer } = response.locals as { signer?: AnswerSigner }
  if (signer) {
    const { originalUrl, body } = response.req
    const [path = ''] = originalUrl.split('?')
    const headers = signer(
      { ...authRequest(response.req, response), path, body },
      { status: response.statusCode, text },
    )
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  }
  response.send(text)
}

/** As fast as the client takes it; a client that goes away ends the stream. */
export async function sendBytes(response: Response, { status = 200, headers, bytes }: Reply): Promise<void> {
  response.status(status)
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value)
  if (!bytes) return void response.end()
  try {
    await pipeline(bytes, response)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export async function sendEvents(response: Response, events: NonNullable<Reply['events']>): Promise<void> {
  response.setHeader('Content-Type', 'text/event-stream')
  response.flushHeaders()
  for await (const { event, data } of events) {
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  response.end()
}

/** A dialplan that asked for text gets the sentence in one line. */
export function sendProblem(response: Response, problem: Problem, requestId: string, asText: boolean): void {
  const { field, retryAfter, extra } = problem.details
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter))
  response.status(problem.status)
  if (asText) {
    send(response.type('text/plain'), `error ${problem.code} ${problem.message}\n`)
    return
  }
  sendJson(response, {
    data: null,
    error: problem.message,
    code: problem.code,
    request_id: requestId,
    ...(field !== undefined && { field }),
    ...extra,
  })
}

/** Whatever was thrown, as something a caller may see; only a Problem was meant for them. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  const error = thrown as { type?: string; message?: string; status?: number }
  // The errors of the body parser carry a `type`: https://github.com/expressjs/body-parser#errors
  switch (error?.type) {
    case 'entity.parse.failed':
      return new Problem('invalid_request', { ...syntax(error.message ?? ''), cause: thrown })
    case 'entity.too.large':
      return new Problem('body_too_large', { cause: thrown })
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Problem('unsupported_media_type', {
        sentence: 'content encoding is not supported',
        cause: thrown,
      })
    case 'request.aborted':
    case 'request.size.invalid':
      return new Problem('invalid_request', { cause: thrown })
  }
  // Express refuses a path that is not UTF-8.
  if (thrown instanceof URIError || error?.status === 400)
    return new Problem('invalid_request', { cause: thrown })
  return new Problem('internal', { cause: thrown })
}

function syntax(message: string) {
  return /after JSON/.test(message)
    ? { sentence: 'request body must contain a single json object', code: 'malformed_json' }
    : { code: 'malformed_json' }
}
