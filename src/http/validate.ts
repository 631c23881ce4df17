import type { z } from 'zod'
import { Problem } from '../lib/problem.ts'

/**
 * The value in the schema's type, or a Problem that names the first wrong field. Sentences that a schema gives itself are
 * kept to the letter, because clients know some of them.
 */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  if (!issue) throw new Problem('invalid_request')
  if (issue.code === 'unrecognized_keys') {
    throw new Problem('invalid_request', { field: [...issue.path, issue.keys[0]].join('.') })
  }
  const field = issue.path.join('.')
  throw new Problem('invalid_request', { sentence: sentenceOf(issue, field), ...(field && { field }) })
}

function sentenceOf(issue: { message: string }, field: string): string {
  const isOurs = !/^(Invalid|Too|Expected|Unrecognized)/.test(issue.message)
  if (isOurs || !field) return issue.message
  return `${field}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`
}
