import type { Installation, KeyedLicense } from './license.ts'
import type { Entitlement } from './tiers.ts'

/** What is known, and what is wanted. All that the checks look at: they ask nobody. */
export interface LicenseFacts {
  now: number
  /** Absent: no licence has this key. */
  license?: KeyedLicense | undefined
  /** What is wrong with the writing of an unknown key, if it looks like one of ours. */
  mistyped?: string | undefined
  /** How long after its end a licence is still good for this use; 0 where it is about the licence itself. */
  graceMs: number
  /** The installation that was named; null: this licence has none of that id. */
  installation?: Installation | null
  /** Seats in use, and how many more are wanted. */
  seats?: { active: number; wanted: number }
  /** How many extensions there would be. */
  extensions?: number
  needs?: readonly Entitlement[]
}

export const LICENSE_CODES = [
  'KEY_MISTYPED',
  'NOT_FOUND',
  'KEY_REPLACED',
  'REVOKED',
  'SUSPENDED',
  'EXPIRED',
  'INSTALLATION_NOT_FOUND',
  'INSTALLATION_DEACTIVATED',
  'TOO_MANY_INSTALLATIONS',
  'TOO_MANY_EXTENSIONS',
  'ENTITLEMENT_MISSING',
] as const
export type LicenseCode = (typeof LICENSE_CODES)[number]

/** `about`: whether the key or the licence itself is at fault, or what was wanted of it. */
export interface LicenseRefusal {
  code: LicenseCode
  about: 'key' | 'license' | 'use'
  /** One sentence for the people who run the PBX: what is wrong and what to do. */
  hint: string
}

interface Check {
  code: LicenseCode
  about: LicenseRefusal['about']
  /** The sentence, when the check fails. */
  fails(facts: LicenseFacts): string | undefined
}
type Known = LicenseFacts & { license: KeyedLicense }

/** A check that makes sense only once the licence is known; those before it in the list see to that. */
const ofLicense =
  (fails: (facts: Known) => string | undefined): Check['fails'] =>
  (facts) =>
    facts.license && fails(facts as Known)

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`
const dateOf = (time: number) => new Date(time).toISOString().slice(0, 10)

/** In this order, and the first that fails is the answer: first the key, then the licence, then what is wanted of it. */
const CHECKS: readonly Check[] = [
  {
    code: 'KEY_MISTYPED',
    about: 'key',
    fails: ({ license, mistyped }) => (license ? undefined : mistyped),
  },
  {
    code: 'NOT_FOUND',
    about: 'key',
    fails: ({ license }) =>
      license
        ? undefined
        : 'no licence has this key: compare it with the one you were given, and check that this is the right gateway',
  },
  {
    code: 'KEY_REPLACED',
    about: 'key',
    fails: ofLicense(({ license: { key }, now }) =>
      key.expiresAt !== undefined && key.expiresAt <= now
        ? `this key was replaced, and good until ${dateOf(key.expiresAt)}: use its successor`
        : undefined,
    ),
  },
  {
    code: 'REVOKED',
    about: 'license',
    fails: ofLicense(({ license }) =>
      license.revokedAt === undefined
        ? undefined
        : `this licence was revoked on ${dateOf(license.revokedAt)}`,
    ),
  },
  {
    code: 'SUSPENDED',
    about: 'license',
    fails: ofLicense(({ license }) =>
      license.suspendedAt === undefined
        ? undefined
        : `this licence is suspended since ${dateOf(license.suspendedAt)}: ask who gave it to you`,
    ),
  },
  {
    code: 'EXPIRED',
    about: 'license',
    fails: ofLicense(({ license: { expiresAt }, now, graceMs }) =>
      expiresAt !== undefined && expiresAt + graceMs <= now
        ? `this licence ended on ${dateOf(expiresAt)}: have it renewed`
        : undefined,
    ),
  },
  {
    code: 'INSTALLATION_NOT_FOUND',
    about: 'use',
    fails: ({ installation }) =>
      installation === null ? 'this licence has no such installation: activate it first' : undefined,
  },
  {
    code: 'INSTALLATION_DEACTIVATED',
    about: 'use',
    fails: ({ installation }) =>
      installation?.deactivatedAt === undefined
        ? undefined
        : `this installation was deactivated on ${dateOf(installation.deactivatedAt)}: activate it again`,
  },
  {
    code: 'TOO_MANY_INSTALLATIONS',
    about: 'use',
    fails: ofLicense(({ license: { maxInstallations }, seats }) =>
      seats && maxInstallations !== undefined && seats.active + seats.wanted > maxInstallations
        ? `this licence is for ${plural(maxInstallations, 'installation')}, and ${seats.active} ${seats.active === 1 ? 'is' : 'are'} in use: deactivate one, or transfer its seat`
        : undefined,
    ),
  },
  {
    code: 'TOO_MANY_EXTENSIONS',
    about: 'use',
    fails: ofLicense(({ license: { maxExtensions }, extensions }) =>
      extensions !== undefined && extensions > maxExtensions
        ? `this licence is for ${plural(maxExtensions, 'extension')}, and there would be ${extensions}`
        : undefined,
    ),
  },
  {
    code: 'ENTITLEMENT_MISSING',
    about: 'use',
    fails: ofLicense(({ license: { entitlements }, needs }) => {
      const missing = (needs ?? []).filter((need) => !entitlements.includes(need))
      return missing.length > 0 ? `this licence does not include: ${missing.join(', ')}` : undefined
    }),
  },
]

/** The first check that fails, or undefined: all is well. */
export function refusalOf(facts: LicenseFacts): LicenseRefusal | undefined {
  for (const { code, about, fails } of CHECKS) {
    const hint = fails(facts)
    if (hint !== undefined) return { code, about, hint }
  }
  return undefined
}

/** A licence that has ended and goes on for a while: until when (ms since the epoch). */
export const graceOf = ({ license, now, graceMs }: LicenseFacts): number | undefined =>
  license?.expiresAt !== undefined && license.expiresAt <= now && now < license.expiresAt + graceMs
    ? license.expiresAt + graceMs
    : undefined
