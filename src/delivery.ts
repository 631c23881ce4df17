import type { Knex } from 'knex'
import type { Clock } from './lib/clock.ts'
import type { Keyring } from './lib/keyring.ts'
import type { Events } from './observability/events.ts'
import { createBypass } from './push/bypass.ts'
import { createBypassClaims, createClaims } from './push/claims.ts'
import { createDeliverCall } from './push/deliver-call.ts'
import { createDeliverMessage } from './push/deliver-message.ts'
import type { PushProvider } from './push/outcome.ts'
import type { Outcomes } from './push/outcomes.ts'
import { createPendingPushStore } from './push/pending-push-store.ts'
import { createProviderCircuit } from './push/provider-circuit.ts'
import type { Provider } from './push/push-kinds.ts'
import type { PushLog } from './push/push-log.ts'
import type { Recheck } from './push/recheck.ts'
import { createSendTry } from './push/send-try.ts'
import { createSubmitCall } from './push/submit-call.ts'
import { createSubmitMessage, type EnqueueMessages } from './push/submit-message.ts'
import type { TokenVerdicts } from './push/token-verdicts.ts'
import type { JobQueues } from './queue/job-queues.ts'
import { jobs, MESSAGE_JOB, messageJobId } from './queue/jobs.ts'
import type { Signals } from './signals/signals.ts'

interface DeliveryDeps {
  db: Knex
  signals: Signals
  queues: JobQueues
  outcomes: Outcomes
  pushLog: PushLog
  providers: Readonly<Record<Provider, PushProvider>>
  appsOf: Readonly<Record<Provider, readonly string[]>>
  verdicts: TokenVerdicts
  recheck: Recheck
  keyring: Keyring
  events: Events
  clock: Clock
}

/** Wires the heart: how a push of either lane gets from its acceptance to its end. */
export function createDelivery(core: DeliveryDeps) {
  const { db, signals, queues, events, clock } = core
  const sendTry = createSendTry(core)
  const claims = createClaims({ signals, clock, onError: (error) => events.backgroundError('claims', error) })
  const deliverCall = createDeliverCall({ ...core, sendTry, claims })
  const deliverHere = createDeliverCall({ ...core, sendTry, claims: createBypassClaims(claims) })
  const { pauses } = jobs['deliver-call']
  const bypass = createBypass({ ...core, claims, deliver: deliverHere, pauses })
  const submitCall = createSubmitCall({
    ...core,
    bypass,
    enqueueCall: (job, jobId) => queues.enqueue('deliver-call', { v: 1, ...job }, jobId),
  })

  const pendingPushes = createPendingPushStore(db)
  const { appsOf } = core
  const circuit = createProviderCircuit({ clock, appsOf, onChange: events.providerCircuit })
  const deliverMessage = createDeliverMessage({ ...core, pendingPushes, sendTry, circuit })
  const enqueueMessages: EnqueueMessages = (provider, pushes) =>
    queues.enqueueAll(
      MESSAGE_JOB[provider],
      pushes.map((push) => ({ payload: { v: 1, pushId: push.id }, jobId: messageJobId(push) })),
    )
  const submitMessage = createSubmitMessage({ ...core, pendingPushes, enqueueMessages })
  return { deliverCall, bypass, submitCall, pendingPushes, deliverMessage, enqueueMessages, submitMessage }
}
