import { randomUUID } from 'node:crypto'
import { givePhone, type Phone } from './demo-phone.ts'
import type { CallAnswer, PbxClient } from './pbx-client.ts'
import { HOLD_SECONDS, type Scenario } from './scenarios.ts'
import type { PhoneReport, ReceivedPush, SimulatorClient } from './simulator-client.ts'

/** Everything that was seen of one call, from the outside. Times are milliseconds since the epoch. */
export interface Evidence {
  phone: Phone
  startedAt: number
  /** How long the PBX waited for its answer, in milliseconds. */
  heldMs: number
  answer: CallAnswer
  /** What the provider was asked for the phone. */
  pushes: readonly ReceivedPush[]
  /** Absent for a dead token: there is no phone. */
  report?: PhoneReport
  /** The call that follows one to a dead token. */
  second?: { heldMs: number; answer: CallAnswer }
  /** How many requests the provider had had before the call. */
  since: number
}

/** Makes one call as a PBX does, and collects what all sides saw of it. */
export async function runCall(
  scenario: Scenario,
  pbx: PbxClient,
  simulators: SimulatorClient,
): Promise<Evidence> {
  const { extension, platform } = scenario
  const phone = await givePhone(scenario, pbx, simulators)
  const since = await simulators.countReceived(platform)

  const startedAt = Date.now()
  const first = await hold(pbx, extension)
  const isDead = scenario.phone === 'dead token'
  const second = isDead ? await hold(pbx, extension) : undefined
  const report = isDead ? undefined : await simulators.readPhone(phone.token)
  return {
    ...{ phone, startedAt, since, ...first },
    pushes: await simulators.receivedFor(platform, phone.token, since),
    ...(report && { report }),
    ...(second && { second }),
  }
}

async function hold(pbx: PbxClient, extension: string) {
  const begin = performance.now()
  const answer = await pbx.holdCall(extension, `demo-${randomUUID()}`, HOLD_SECONDS)
  return { heldMs: performance.now() - begin, answer }
}
