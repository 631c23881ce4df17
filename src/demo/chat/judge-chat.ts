import { isDeepStrictEqual } from 'node:util'

export interface ChatCheck {
  ok: boolean
  /** What has to be so. */
  expected: string
  found: string
}

export const check = (what: string, wanted: unknown, found: unknown): ChatCheck => ({
  ok: isDeepStrictEqual(wanted, found),
  expected: `${what} (${JSON.stringify(wanted)})`,
  found: JSON.stringify(found) ?? 'nothing',
})

export const complaintOf = (checks: readonly ChatCheck[]): string =>
  checks
    .filter(({ ok }) => !ok)
    .map(({ expected, found }) => `expected ${expected}, found ${found}`)
    .join('; ')
