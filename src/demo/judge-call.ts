import type { Evidence } from './run-call.ts'
import type { Scenario } from './scenarios.ts'
import { type Step, timelineOf, VENDOR } from './timeline.ts'

export interface Check {
  ok: boolean
  /** What has to be so. */
  expected: string
  found: string
}

/** What `--json` prints per call. */
export interface CallReport {
  title: string
  extension: string
  outcome: string
  held_ms: number
  waited_ms: number
  pushes: number
  timeline: Step[]
  checks: Check[]
  verdict: string
  ok: boolean
}

/** Compares what was seen of a call with how it has to go. */
export function judgeCall(scenario: Scenario, evidence: Evidence): CallReport {
  const checks = [
    ...checkHold(scenario, evidence),
    ...checkPhone(scenario, evidence),
    ...checkSecond(evidence),
  ]
  const ok = checks.every((check) => check.ok)
  const { heldMs, answer, pushes } = evidence
  return {
    title: scenario.title,
    extension: scenario.extension,
    outcome: answer.outcome,
    held_ms: Math.round(heldMs),
    waited_ms: answer.waited_ms,
    pushes: pushes.length,
    timeline: timelineOf(scenario, evidence),
    checks,
    verdict: ok ? verdictOf(scenario, evidence) : complaintOf(checks),
    ok,
  }
}

const check = (ok: boolean, expected: string, found: unknown): Check => ({
  ok,
  expected,
  found: String(found),
})

function checkHold({ expected, platform }: Scenario, { answer, heldMs, pushes }: Evidence): Check[] {
  const [least, most] = expected.heldMs
  const shown = `${Math.round(heldMs)} ms`
  const fallback = expected.outcome === 'registered' ? 'none' : 'voicemail'
  return [
    check(answer.outcome === expected.outcome, `outcome ${expected.outcome}`, answer.outcome),
    check(heldMs >= least && heldMs <= most, `a hold of ${least} to ${most} ms`, shown),
    check((answer.fallback ?? 'none') === fallback, `fallback ${fallback}`, answer.fallback ?? 'none'),
    check(pushes.length === 1, `one push at ${VENDOR[platform]}`, pushes.length),
  ]
}

function checkPhone({ phone: behaviour }: Scenario, { answer, report, phone }: Evidence): Check[] {
  if (!report) {
    const [push] = answer.pushes
    return [check(push?.status === 'token_dead', 'the push reported as token_dead', push?.status)]
  }
  const rings = report.rang.length + report.duplicates
  const registered = answer.contacts.map(({ device_id }) => device_id ?? '?').join(', ')
  const ours = typeof behaviour === 'object' ? phone.deviceId : ''
  return [
    check(rings === 1, 'the phone rings once', rings),
    check(registered === ours, `contact ${ours || 'none'}`, registered || 'none'),
  ]
}

function checkSecond({ second }: Evidence): Check[] {
  if (!second) return []
  const { outcome, pushes } = second.answer
  return [
    check(outcome === 'no_device', 'outcome no_device of a second call', outcome),
    check(pushes.length === 0, 'no push of a second call', pushes.length),
  ]
}

const complaintOf = (checks: readonly Check[]): string =>
  checks
    .filter(({ ok }) => !ok)
    .map(({ expected, found }) => `expected ${expected}, found ${found}`)
    .join('; ')

function verdictOf({ expected, platform }: Scenario, { heldMs, answer, second }: Evidence): string {
  const held = `${Math.round(heldMs)} ms`
  if (expected.outcome === 'registered') return `The caller is connected after ${held}, with one push.`
  if (expected.outcome === 'timeout') return `Nobody came; the caller goes to voicemail after ${held}.`
  const reason = answer.pushes[0]?.reason ?? 'token dead'
  return (
    `The caller is released after ${held} (${reason}), and the token is forgotten: ` +
    `a second call hears ${second?.answer.outcome} after ${Math.round(second?.heldMs ?? 0)} ms, without a push to ${VENDOR[platform]}.`
  )
}
