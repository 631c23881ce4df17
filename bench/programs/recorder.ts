import { createPublicKey } from 'node:crypto'
import { createApnsSimulator } from '../../src/simulators/apns-simulator.ts'
import { loadOrCreateSimulatorCredentials } from '../../src/simulators/credentials.ts'
import { readCallId, sharedNow } from '../load/stamp.ts'
import { type Summary, summarize } from '../load/summary.ts'

export interface RecorderReady {
  url: string
  /** Points API and workers at the simulator. */
  env: Record<string, string>
  /** For those who talk to the simulator themselves. */
  signing: { key: string; keyId: string; teamId: string; topic: string; ca: string }
}
export interface RecorderReport {
  accepted: number
  /** Pushes that arrived more than once. */
  repeated: number
  refused: number
  /** Milliseconds from the stamp of the sender to the headers here. */
  latency: Summary
}

/** Apple's gateway that remembers no request, only when the stamped ones came and how many there were. */
const { apns, certificates, files } = await loadOrCreateSimulatorCredentials(process.argv[2] ?? '')
const { keyId, teamId, bundleId, signingKey } = apns
const simulator = await createApnsSimulator({
  environment: 'production',
  accounts: [{ keyId, teamId, publicKey: createPublicKey(signingKey), bundleIds: [bundleId] }],
  certificates,
  record: false,
  clock: { now: () => Date.now(), monotonic: sharedNow },
})

let accepted = 0
let before = 0
let seen = new Set<number>()
let latencies: number[] = []
simulator.onAccepted((push) => {
  accepted += 1
  const { number, stamp } = readCallId(push.payload.sip_call_id)
  seen.add(number)
  if (stamp > 0) latencies.push((push.receivedAtMonotonic - stamp) / 1_000)
})

// Who asked is gone.
process.on('disconnect', () => process.exit())
process.on('message', (question) => {
  if (question === 'reset') {
    accepted = 0
    before = simulator.record.total
    seen = new Set()
    latencies = []
    process.send?.('done')
  } else {
    const refused = simulator.record.total - before - accepted
    process.send?.({ accepted, repeated: accepted - seen.size, refused, latency: summarize(latencies) })
  }
})
process.send?.({
  url: simulator.url,
  env: {
    APNS_KEY_FILE: files.apnsKey,
    APNS_KEY_ID: keyId,
    APNS_TEAM_ID: teamId,
    APNS_BUNDLE_ID: bundleId,
    APNS_ENDPOINT: simulator.url,
    APNS_SANDBOX_ENDPOINT: simulator.url,
    PROVIDER_CA_FILE: files.ca,
  },
  signing: { key: signingKey, keyId, teamId, topic: `${bundleId}.voip`, ca: certificates.ca },
} satisfies RecorderReady)
