import type { Clock } from '../../lib/clock.ts'

/** What an app is doing, as its system sees it. Only `terminated` may be woken again: `force-quit` was the person's own wish. */
export type AppState = 'foreground' | 'background' | 'suspended' | 'terminated' | 'force-quit'

/** What a person may have noticed, and what nobody did. */
type Happening =
  | { did: 'state'; state: AppState; why: string }
  | { did: 'session'; extension: string; change: 'logged in' | 'logged out' | 'ended' }
  | { did: 'network'; condition: string }
  /** A push: put before the person by the system, by the app, or by nobody. */
  | {
      did: 'push'
      type: string
      outcome: 'shown' | 'presented' | 'suppressed' | 'silent'
      why: string
      messageId?: string
      conversationId?: string
    }
  /** The system lets the app run because of a push, or does not. */
  | { did: 'wake'; woken: boolean; why: string }
  /** The notification service extension ran. */
  | { did: 'extension'; changed: boolean; why: string }
  /** Everything up to now was fetched, and by that acknowledged. */
  | { did: 'sync'; why: string; events: number }
  | { did: 'connect'; why: string }
  | { did: 'disconnect'; why: string }
  /** Messages that the phone did not have. */
  | { did: 'receive'; via: MergedFrom; messageIds: string[] }
  /** The person has written something; whether it arrives is another thing. */
  | { did: 'send'; conversationId: string; clientId: string }
  /** A conversation is on the screen; `fresh` are its messages that had not been read. */
  | { did: 'open'; conversationId: string; messageIds: string[]; fresh: string[] }
  | { did: 'read'; conversationId: string; seq: number }
  /** Somebody else has got, or read, everything up to there. */
  | { did: 'receipt'; receipt: 'delivered' | 'read'; extension: string; conversationId: string; seq: number }
  | { did: 'badge'; badge: number }
  /** Notifications were taken back. */
  | { did: 'take back'; conversationId: string; count: number }
  | { did: 'fail'; what: string; reason: string }

/** How a message came to the phone. */
export type MergedFrom = 'socket' | 'sync' | 'page' | 'extension' | 'sent'

/** Milliseconds since the epoch. */
export type DeviceStep = { at: number } & Happening
export type DeviceTimeline = ReturnType<typeof createDeviceTimeline>

/** Everything that a phone did, oldest first. */
export function createDeviceTimeline(clock: Clock) {
  const steps: DeviceStep[] = []
  return {
    steps: steps as readonly DeviceStep[],
    note(happening: Happening): void {
      steps.push({ at: clock.now(), ...happening })
    },
    of: <D extends Happening['did']>(did: D): Extract<DeviceStep, { did: D }>[] =>
      steps.filter((step): step is Extract<DeviceStep, { did: D }> => step.did === did),
  }
}
