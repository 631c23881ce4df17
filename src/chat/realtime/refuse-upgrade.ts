import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { newId } from '../../lib/ids.ts'
import type { Problem } from '../../lib/problem.ts'

/** Answers a request for an upgrade as any other that is refused, and ends its connection. */
export function refuseUpgrade(stream: Duplex, problem: Problem): void {
  const { status, code, message, details } = problem
  const requestId = newId()
  const body = JSON.stringify({ data: null, error: message, code, request_id: requestId })
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    `X-Request-Id: ${requestId}`,
    ...(details.retryAfter === undefined ? [] : [`Retry-After: ${details.retryAfter}`]),
  ]
  stream.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => stream.destroy())
}
