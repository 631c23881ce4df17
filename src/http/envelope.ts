import type { Response } from 'express'
import { Problem } from '../lib/problem.ts'
import type { Reply } from './route.ts'

export function sendReply(response: Response, reply: Reply): void {
  response.status(reply.status ?? 200)
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  if (reply.text !== undefined) response.type('text/plain').send(reply.text)
  else if (reply.raw !== undefined) response.json(reply.raw)
  else response.json({ data: reply.data ?? null })
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
    response.type('text/plain').send(`error ${problem.code} ${problem.message}\n`)
    return
  }
  response.json({
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
