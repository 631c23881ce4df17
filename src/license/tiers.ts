/** What a licence may be used for. */
export const ENTITLEMENTS = [
  /** Pushes of the calls lane. */
  'calls',
  /** Pushes of the messages lane. */
  'messages',
  /** Webhooks of the tenant. */
  'webhooks',
  /** Signed licence files, for a PBX without a way to us. */
  'offline',
] as const
export type Entitlement = (typeof ENTITLEMENTS)[number]

export interface TierTerms {
  maxExtensions: number
  /** Machines that may use the licence at the same time; absent: any number. */
  maxInstallations?: number
  entitlements: readonly Entitlement[]
}

/**
 * What a licence of a tier gets when it is made or changed to the tier. The licence keeps its own copy, so that terms which change
 * here change no contract; one whose terms are not these has the tier `custom`.
 */
export const TIERS = {
  free: { maxExtensions: 5, maxInstallations: 2, entitlements: ['calls', 'messages', 'webhooks'] },
  standard: { maxExtensions: 25, maxInstallations: 5, entitlements: ENTITLEMENTS },
  professional: { maxExtensions: 100, maxInstallations: 20, entitlements: ENTITLEMENTS },
} as const satisfies Record<string, TierTerms>
export type Tier = keyof typeof TIERS
export const TIER_NAMES = Object.keys(TIERS) as Tier[]

/** The tier that has these terms, or else `custom`. */
export const tierOf = (terms: TierTerms): Tier | 'custom' =>
  TIER_NAMES.find((name) => isSame(TIERS[name], terms)) ?? 'custom'

const isSame = (one: TierTerms, other: TierTerms) =>
  one.maxExtensions === other.maxExtensions &&
  one.maxInstallations === other.maxInstallations &&
  one.entitlements.length === other.entitlements.length &&
  one.entitlements.every((entitlement) => other.entitlements.includes(entitlement))
