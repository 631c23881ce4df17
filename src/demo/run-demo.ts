import { type CallReport, judgeCall } from './judge-call.ts'
import { createPbxClient } from './pbx-client.ts'
import { type Evidence, runCall } from './run-call.ts'
import { SCENARIOS } from './scenarios.ts'
import { createSimulatorClient } from './simulator-client.ts'

/** A running Wakeline and its simulators. */
export interface Target {
  url: string
  pbxKey: string
  simulatorsUrl: string
}

/** What `--json` prints. */
export interface DemoReport {
  ok: boolean
  url: string
  calls: CallReport[]
  /** Requests at the providers for all calls, counted again at the end. */
  pushes: number
  summary: string
}

/**
 * Makes the four calls one after the other.
 *
 * @param told aborts when nobody wants to see the rest
 * @param onCall told about each call as soon as it is over
 */
export async function runDemo(
  target: Target,
  told: AbortSignal,
  onCall: (call: CallReport) => void,
): Promise<DemoReport> {
  const pbx = createPbxClient(target.url, target.pbxKey, told)
  const simulators = createSimulatorClient(target.simulatorsUrl)
  const made: { evidence: Evidence; platform: 'apns' | 'fcm' }[] = []
  const calls: CallReport[] = []
  try {
    for (const scenario of SCENARIOS) {
      told.throwIfAborted()
      const evidence = await runCall(scenario, pbx, simulators)
      made.push({ evidence, platform: scenario.platform })
      const call = judgeCall(scenario, evidence)
      calls.push(call)
      onCall(call)
    }
    // A push that left twice may come late: only now is it sure that none did.
    const counts = await Promise.all(
      made.map(({ evidence: { phone, since }, platform }) =>
        simulators.receivedFor(platform, phone.token, since).then(({ length }) => length),
      ),
    )
    return summarize(target, calls, counts)
  } finally {
    await Promise.all(made.map(({ evidence }) => simulators.removePhone(evidence.phone.token)))
  }
}

function summarize({ url }: Target, calls: CallReport[], counts: readonly number[]): DemoReport {
  const good = calls.filter(({ ok }) => ok).length
  const pushes = counts.reduce((sum, count) => sum + count, 0)
  const isOncePerCall = counts.every((count) => count === 1)
  const doubled = isOncePerCall
    ? 'each phone was pushed exactly once'
    : `but ${pushes} pushes for ${calls.length} phones`
  return {
    ok: good === calls.length && isOncePerCall,
    url,
    calls,
    pushes,
    summary: `${good} of ${calls.length} calls went as they should; ${doubled}.`,
  }
}
