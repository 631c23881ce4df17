import { z } from 'zod'
import { validate } from '../http/validate.ts'
import { Problem } from '../lib/problem.ts'

/** What an answer says of an item that was not taken. */
export const Refusal = {
  code: z.string().optional(),
  error: z.string().optional(),
  field: z.string().optional(),
  hint: z.string().optional(),
}

/** An object or an array of some; what is in it is looked at one by one, so that a wrong one does not refuse the others. */
export const oneOrMany = (most: number, what: string) =>
  z.union(
    [z.record(z.string(), z.unknown()), z.array(z.unknown()).min(1).max(most)],
    `must be ${what} or an array of 1 to ${most} of them`,
  )

export type Judged<Value> = { value: Value; problem?: undefined } | { value?: undefined; problem: Problem }

/** Each item in the schema's type, or what is wrong with it. One that stands alone is a request of its own: it throws. */
export function judgeItems<Schema extends z.ZodType>(
  schema: Schema,
  body: z.output<ReturnType<typeof oneOrMany>>,
): Judged<z.output<Schema>>[] {
  if (!Array.isArray(body)) return [{ value: validate(schema, body) }]
  return body.map((item) => {
    try {
      return { value: validate(schema, item) }
    } catch (problem) {
      if (problem instanceof Problem) return { problem }
      throw problem
    }
  })
}

export const describeRefusal = ({ code, message, details: { field, extra } }: Problem) => ({
  status: 'refused' as const,
  code,
  error: message,
  ...(field !== undefined && { field }),
  ...(typeof extra?.hint === 'string' && { hint: extra.hint }),
})

/** The name of an item that was not taken, as far as it has one. */
export function nameOf(item: unknown, key: string): string | undefined {
  const name = (item as Record<string, unknown> | null)?.[key]
  return typeof name === 'string' ? name.slice(0, 256) : undefined
}
