import { createPublicKey } from 'node:crypto'
import { loadOrCreateSimulatorCredentials } from '../../src/simulators/credentials.ts'
import { createFcmSimulator } from '../../src/simulators/fcm-simulator.ts'
import { messageTokens } from '../load/message-tokens.ts'

export interface GoogleReady {
  /** Points API and workers at the simulator. */
  env: Record<string, string>
}
export interface GoogleReport {
  requests: number
  accepted: number
}

/** FCM in a process of its own, which is down or not, as it is told. */
const { serviceAccount, certificates, files } = await loadOrCreateSimulatorCredentials(process.argv[2] ?? '')
const simulator = await createFcmSimulator({
  projectId: serviceAccount.project_id,
  serviceAccount: {
    clientEmail: serviceAccount.client_email,
    publicKey: createPublicKey(serviceAccount.private_key),
  },
  certificates,
  record: false,
})
let accepted = 0
simulator.onAccepted(() => {
  accepted += 1
})

// Who asked is gone.
process.on('disconnect', () => process.exit())
process.on('message', (told) => {
  if (told === 'fail') {
    for (const token of messageTokens()) simulator.behaves(token, { status: 503, errorCode: 'UNAVAILABLE' })
  } else if (told === 'recover') {
    for (const token of messageTokens()) simulator.forgets(token)
  }
  process.send?.({ requests: simulator.record.total, accepted } satisfies GoogleReport)
})
process.send?.({
  env: { FCM_CREDENTIALS_FILE: files.serviceAccount, FCM_ENDPOINT: simulator.url },
} satisfies GoogleReady)
