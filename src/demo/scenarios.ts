import { SECOND } from '../lib/units.ts'
import type { Platform } from './simulator-client.ts'

/** What the PBX of the demo is willing to wait. */
export const HOLD_SECONDS = 5

/** A call of the demo, and how it has to go. */
export interface Scenario {
  title: string
  extension: string
  platform: Platform
  /** Milliseconds between the push and the registration. */
  phone: { registersAfterMs: number } | 'never registers' | 'dead token'
  expected: {
    outcome: 'registered' | 'timeout' | 'unreachable'
    /** Milliseconds that the hold may last. */
    heldMs: readonly [least: number, most: number]
  }
}

/** Well under the hold, with room for a machine that has other things to do. */
const SOON_MS = 3 * SECOND
const DEADLINE_MS = HOLD_SECONDS * SECOND
/** The demo shows that a hold ends at its deadline; how many milliseconds late is for the bench, on a machine that is quiet. */
const LATE_MS = 2 * SECOND
/** Timers may ring this much early. */
const EARLY_MS = 2

export const SCENARIOS: readonly Scenario[] = [
  {
    title: 'An iPhone that wakes up and registers',
    extension: '9001',
    platform: 'apns',
    phone: { registersAfterMs: 400 },
    expected: { outcome: 'registered', heldMs: [400, SOON_MS] },
  },
  {
    title: 'An iPhone that rings and never registers',
    extension: '9002',
    platform: 'apns',
    phone: 'never registers',
    expected: {
      outcome: 'timeout',
      heldMs: [DEADLINE_MS - EARLY_MS, DEADLINE_MS + LATE_MS],
    },
  },
  {
    title: 'An Android phone whose push token is dead',
    extension: '9003',
    platform: 'fcm',
    phone: 'dead token',
    expected: { outcome: 'unreachable', heldMs: [0, SOON_MS] },
  },
  {
    title: 'An Android phone that registers the moment the push arrives',
    extension: '9004',
    platform: 'fcm',
    phone: { registersAfterMs: 0 },
    expected: { outcome: 'registered', heldMs: [0, SOON_MS] },
  },
]
