import type { Events } from '../observability/events.ts'
import type { LicenseFacts } from './license-checks.ts'
import { graceOf } from './license-checks.ts'

export interface LicenseWarning {
  code: 'EXPIRED' | 'KEY_REPLACED' | 'UNVERIFIED'
  /** Until when the request would still be let pass. Milliseconds since the epoch. */
  until?: number
}

/** What will stop a good key from being one: its licence has ended, it has a successor, or nobody can say. */
export function warningsOf(facts: LicenseFacts & { isStale: boolean }): LicenseWarning[] {
  const graceUntil = graceOf(facts)
  const keyUntil = facts.license?.key.expiresAt
  return [
    ...(graceUntil === undefined ? [] : [{ code: 'EXPIRED' as const, until: graceUntil }]),
    ...(keyUntil === undefined ? [] : [{ code: 'KEY_REPLACED' as const, until: keyUntil }]),
    ...(facts.isStale ? [{ code: 'UNVERIFIED' as const }] : []),
  ]
}

/** In the metric of pushes that only a grace lets pass. */
export function countGrace(events: Pick<Events, 'licenseGrace'>, warnings: readonly LicenseWarning[]): void {
  for (const { code } of warnings) {
    if (code === 'EXPIRED') events.licenseGrace('expired')
    if (code === 'UNVERIFIED') events.licenseGrace('store_unavailable')
  }
}

/** Tells them in `X-License-Warning`, such as `KEY_REPLACED; until=2026-11-28T00:00:00.000Z`. */
export function tellWarnings(
  { setHeader }: { setHeader(name: string, value: string): void },
  warnings: readonly LicenseWarning[],
): void {
  if (warnings.length === 0) return
  const texts = warnings.map(({ code, until }) =>
    until === undefined ? code : `${code}; until=${new Date(until).toISOString()}`,
  )
  setHeader('X-License-Warning', texts.join(', '))
}
