import type { Entitlement } from './tiers.ts'

/** What a customer may do. Times are milliseconds since the epoch, as everywhere. */
export interface License {
  id: string
  tenantId: string
  /** A name of `tiers.ts`, `custom`, or what another gateway called it before it was imported. */
  tier: string
  maxExtensions: number
  /** Absent: any number. */
  maxInstallations?: number
  entitlements: readonly Entitlement[]
  /** Pushes a UTC day; absent: as many as the size of the licence gives. */
  callsPerDay?: number
  messagesPerDay?: number
  createdAt: number
  /** Absent: never. */
  expiresAt?: number
  /** Refused until it is reinstated. */
  suspendedAt?: number
  /** Refused for good. */
  revokedAt?: number
}

/** A licence as one of its keys finds it. */
export interface KeyedLicense extends License {
  key: {
    /** The first letters, for people. */
    prefix: string
    /** Set when the key has a successor: it is good until then. */
    expiresAt?: number
  }
}

/** A PBX that uses a licence: one seat. */
export interface Installation {
  /** The `instance_id` of the wire contract. */
  id: string
  licenseId: string
  hostname: string
  fingerprint?: string
  version: string
  activatedAt: number
  lastSeenAt: number
  deactivatedAt?: number
  deactivatedWhy?: DeactivationReason
}

/** `released` by itself, `forced` by the customer or an operator, `transferred` to another machine, `dead`: not seen for long. */
export type DeactivationReason = 'released' | 'forced' | 'transferred' | 'dead'

/** Who did something to a licence, as the audit has it. */
export type Actor = `operator:${string}` | 'shell' | 'pbx' | 'system'

export const LICENSE_ACTIONS = [
  'created',
  'changed',
  'renewed',
  'suspended',
  'reinstated',
  'revoked',
  'key_rotated',
  'exported',
  'imported',
  'activated',
  'deactivated',
  'transferred',
  'quota_warning',
  'expiring',
] as const
export type LicenseAction = (typeof LICENSE_ACTIONS)[number]

export interface LicenseEvent {
  id: string
  licenseId: string
  at: number
  action: LicenseAction
  actor: Actor
  details: Record<string, unknown>
}
