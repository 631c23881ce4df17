import { SECOND } from '../lib/units.ts'
import type { Evidence } from './run-call.ts'
import { HOLD_SECONDS, type Scenario } from './scenarios.ts'
import type { Platform } from './simulator-client.ts'

/** Something that happened, in milliseconds after the PBX asked. */
export interface Step {
  at_ms: number
  what: string
}

export const VENDOR: Record<Platform, string> = { apns: 'Apple', fcm: 'Google' }

/** A call as a story. Each time is the one of whoever it happened to. */
export function timelineOf({ extension, platform }: Scenario, evidence: Evidence): Step[] {
  const { startedAt, heldMs, answer, pushes, report } = evidence
  const step = (at: number, what: string): Step => ({ at_ms: Math.round(at), what })
  // Hosts whose clocks differ must not tell a story in which the phone rings before it is called.
  const after = (at: number | string) => Math.min(Math.max(new Date(at).getTime() - startedAt, 0), heldMs)

  const taken = takenAt(evidence)
  return [
    step(0, `the PBX asks for ${extension} and holds its caller`),
    ...(taken === undefined ? [] : [step(after(taken), 'Wakeline takes the call and queues a push')]),
    ...pushes.map(({ at, status, reason }) =>
      step(after(at), `the push arrives at ${VENDOR[platform]}: ${statusText(status, reason)}`),
    ),
    ...(report?.rang ?? []).map(({ at }) => step(after(at), 'the phone rings')),
    ...answer.contacts.map(({ registered_at }) => step(after(registered_at), 'the phone registers')),
    step(heldMs, `the hold ends: ${[answer.outcome, answer.fallback].filter(Boolean).join(', go to ')}`),
  ]
}

/** A push is good for as long as the PBX waits, so its end tells when the gateway began to count. */
function takenAt({ pushes: [first] }: Evidence): number | undefined {
  const expires = first?.payload.expires_at
  return expires === undefined ? undefined : new Date(expires).getTime() - HOLD_SECONDS * SECOND
}

const statusText = (status: number, reason: string | undefined): string =>
  status === 200 ? 'accepted' : [status, reason].filter((part) => part !== undefined).join(' ')
