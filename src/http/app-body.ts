import type { z } from 'zod'
import { Problem } from '../lib/problem.ts'

/** Faults of a body in the words of FlowPBX's app API, which the app shows to people. All are 400 there. */

/** For the body parser, which would take no bytes for an empty object. */
export function refuseEmptyBody(_request: unknown, _response: unknown, bytes: Buffer): void {
  if (bytes.length === 0) throw new Error('the body is empty')
}

/** What the body parser threw, when it was a fault of the body. */
export function tellBodyFault(thrown: unknown): unknown {
  const error = thrown as { type?: string; message?: string; body?: string }
  // The errors of the body parser carry a `type`: https://github.com/expressjs/body-parser#errors
  switch (error?.type) {
    case 'entity.parse.failed':
      return new Problem('invalid_request', { ...syntaxFault(error), cause: thrown })
    case 'entity.verify.failed':
      return new Problem('invalid_request', { ...EMPTY, cause: thrown })
    case 'entity.too.large':
      return new Problem('invalid_request', {
        sentence: 'request body too large',
        code: 'body_too_large',
        cause: thrown,
      })
    default:
      return thrown
  }
}

function syntaxFault({ body = '', message = '' }: { body?: string; message?: string }) {
  if (body.trim() === '') return EMPTY
  const malformed = { code: 'malformed_json' }
  if (/after JSON/.test(message)) {
    return { ...malformed, sentence: 'request body must contain a single json object' }
  }
  return { ...malformed, sentence: isCutOff(body, message) ? 'invalid request body' : 'malformed json' }
}

/** V8 tells where it gave up, or that the text or a string in it has no end. */
function isCutOff(body: string, message: string): boolean {
  const [, position] = /at position (\d+)/.exec(message) ?? []
  return /end of JSON|Unterminated/.test(message) || Number(position) >= body.trimEnd().length
}

const EMPTY = { sentence: 'request body must not be empty', code: 'empty_body' }

/** @param value undefined: there was no body */
export function validateAppBody<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  if (value === undefined) throw new Problem('invalid_request', EMPTY)
  // Go reads `null` into a struct as one without fields.
  const body = value ?? {}
  if (typeof body !== 'object' || Array.isArray(body)) {
    throw new Problem('invalid_request', { sentence: 'invalid json value' })
  }
  const result = schema.safeParse(body)
  if (result.success) return result.data
  throw new Problem('invalid_request', faultOf(result.error.issues))
}

/** As a decoder of Go would meet them: a field that it does not know, then a wrong type, then what the fields mean. */
function faultOf(issues: readonly z.core.$ZodIssue[]) {
  const unknown = issues.find((issue) => issue.code === 'unrecognized_keys')
  if (unknown) {
    const [key = ''] = unknown.keys
    return {
      sentence: `unknown field "${key}"`,
      code: 'unknown_field',
      field: [...unknown.path, key].join('.'),
    }
  }
  const issue = issues.find(({ message }) => isOfZod(message)) ?? issues[0]
  const field = issue?.path.join('.') ?? ''
  const sentence = !issue || isOfZod(issue.message) ? `invalid value for field ${field}` : issue.message
  return { sentence, ...(field && { field }) }
}

/** Sentences that a schema gives itself are kept to the letter. */
const isOfZod = (message: string): boolean => /^(Invalid|Too|Expected|Unrecognized)/.test(message)
