import { Refused } from '../http.ts'
import { isFields, short } from '../json.ts'

/** One line per step; a step that fails does not keep the others from being tried. */
export class Report {
  failures = 0

  async step(name: string, play: () => Promise<void>): Promise<void> {
    try {
      await play()
      console.log(`ok    ${name}`)
    } catch (error) {
      this.failures++
      console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : short(error)}`)
    }
  }

  /** What a client has to find out by trying, because nothing says it. */
  note(text: string): void {
    console.log(`note  ${text}`)
  }
}

export function check(holds: boolean, expected: string, got: unknown): asserts holds {
  if (!holds) throw new Error(`expected ${expected}, got ${short(got)}`)
}

export function same(got: unknown, expected: unknown, what: string): void {
  const [is, wanted] = [JSON.stringify(got), JSON.stringify(expected)]
  if (is !== wanted) throw new Error(`expected ${what} ${short(wanted)}, got ${short(is)}`)
}

/** The refusal of what has to be refused, with one of these statuses and a body which says why. */
export async function refusal(asked: Promise<unknown>, statuses: readonly number[]): Promise<Refused> {
  const expected = `a refusal with ${statuses.join(' or ')}`
  const outcome = await asked.catch((error: unknown) => error)
  if (!(outcome instanceof Refused)) {
    throw outcome instanceof Error ? outcome : new Error(`expected ${expected}, got ${short(outcome)}`)
  }
  check(statuses.includes(outcome.status), expected, outcome.message)
  const { body } = outcome
  const says = isFields(body) && typeof body.error === 'string' && typeof body.code === 'string'
  check(says, 'a refusal with error and code', outcome.message)
  return outcome
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Ids are read into UUIDs by the apps: anything else would end them. */
export function isUuid(value: string, what: string): void {
  check(UUID.test(value), `a UUID as ${what}`, value)
}
