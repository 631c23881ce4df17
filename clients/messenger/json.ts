// What a service answers is unknown until it was looked at: these look.

export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is in a text, or undefined when it is not JSON: an error page of a proxy must not end the client. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function textAt(fields: Fields, key: string): string {
  const value = fields[key]
  if (typeof value !== 'string') throw new Error(`${key} is ${JSON.stringify(value)}, not a text`)
  return value
}

/** A text which may be missing or null: both mean the same to this client. */
export function textOrNullAt(fields: Fields, key: string): string | null {
  return fields[key] === undefined || fields[key] === null ? null : textAt(fields, key)
}

/** A list: given bare, or under the name of what it lists. */
export function listIn(value: unknown, key: string): readonly unknown[] {
  const list = isFields(value) ? value[key] : value
  if (!Array.isArray(list)) throw new Error(`no list of ${key} in ${short(value)}`)
  return list
}

export function short(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  return text.length > 300 ? `${text.slice(0, 300)}...` : text
}
