import { Problem } from '../lib/problem.ts'
import { DAY } from '../lib/units.ts'
import type { License } from './license.ts'
import { LAST_TIME } from './parse-time.ts'
import { type Entitlement, TIERS, type Tier, tierOf } from './tiers.ts'

/** What is to be different. undefined leaves it; null: any number, as many as the size gives, never. */
export interface TermChange {
  /** Copies the terms of the tier; what else is given goes on top of them. */
  tier?: Tier | undefined
  maxExtensions?: number | undefined
  maxInstallations?: number | null | undefined
  entitlements?: readonly Entitlement[] | undefined
  callsPerDay?: number | null | undefined
  messagesPerDay?: number | null | undefined
  expiresAt?: number | null | undefined
}

/** The licence with other terms. Unless they are those of a tier, its tier becomes `custom`. */
export function withTerms(license: License, { tier, ...change }: TermChange): License {
  const { maxInstallations, callsPerDay, messagesPerDay, expiresAt, ...rest } = license
  const base = tier === undefined ? license : TIERS[tier]
  const limits = {
    maxExtensions: change.maxExtensions ?? base.maxExtensions,
    ...given('maxInstallations', change.maxInstallations, base.maxInstallations),
    entitlements: change.entitlements ?? base.entitlements,
  }
  const isTouched = tier !== undefined || !isSameLimits(license, limits)
  return {
    ...rest,
    ...limits,
    // A licence whose limits stay keeps its name, which may be of another gateway.
    tier: isTouched ? tierOf(limits) : license.tier,
    ...given('callsPerDay', change.callsPerDay, callsPerDay),
    ...given('messagesPerDay', change.messagesPerDay, messagesPerDay),
    ...given('expiresAt', change.expiresAt, expiresAt),
  }
}

type Limits = Pick<License, 'maxExtensions' | 'maxInstallations' | 'entitlements'>
const isSameLimits = (one: Limits, other: Limits): boolean =>
  one.maxExtensions === other.maxExtensions &&
  one.maxInstallations === other.maxInstallations &&
  one.entitlements.join() === other.entitlements.join()

/** The key with what it is changed to, or else with what it was; without it when that is nothing. */
function given<Key extends string>(
  key: Key,
  wanted: number | null | undefined,
  until: number | undefined,
): { [K in Key]?: number } {
  const value = wanted === undefined ? until : (wanted ?? undefined)
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: number }
}

export type Renewal =
  | { by: 'date'; until: number }
  | { by: 'days' | 'months'; count: number }
  | { by: 'never' }

/**
 * When a renewed licence ends; undefined: never. It goes on from its end, or from now if that is over. A renewal never takes time
 * away: who wants that changes the end itself.
 */
export function renewedEnd({ expiresAt }: License, renewal: Renewal, now: number): number | undefined {
  if (renewal.by === 'never') return undefined
  if (expiresAt === undefined) throw new Problem('license_perpetual')
  const from = Math.max(now, expiresAt)
  const until = renewal.by === 'date' ? renewal.until : later(from, renewal)
  if (renewal.by === 'date' && until < Math.max(now, expiresAt)) {
    throw new Problem('invalid_request', {
      sentence: `until must not be before ${new Date(from).toISOString()}: a renewal takes no time away`,
      field: 'until',
    })
  }
  if (until > LAST_TIME) {
    const sentence = `${renewal.by} must end before the year 10000`
    throw new Problem('invalid_request', { sentence, field: renewal.by })
  }
  return until
}

const later = (from: number, { by, count }: { by: 'days' | 'months'; count: number }): number =>
  by === 'days' ? from + count * DAY : monthsLater(from, count)

/** The same day and time, or the last day of a month that is too short for it (UTC). */
function monthsLater(from: number, count: number): number {
  const date = new Date(from)
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count + 1, 0)).getUTCDate()
  const day = Math.min(date.getUTCDate(), lastDay)
  return date.setUTCMonth(date.getUTCMonth() + count, day)
}
