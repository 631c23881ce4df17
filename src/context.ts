import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import type { Config, Secrets } from './config/config.ts'
import { openDatabase } from './db/database.ts'
import { createDeviceStore } from './devices/device-store.ts'
import { createDeviceTokenStore } from './devices/device-token-store.ts'
import { createExtensionStore } from './devices/extension-store.ts'
import { createPhoneStore } from './devices/phone-store.ts'
import { createRegisterDevice } from './devices/register-device.ts'
import { createGatewayPush } from './gateway/gateway-push.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { createKeyring } from './lib/keyring.ts'
import { createReleaser, type Releaser } from './lib/releaser.ts'
import { StartError } from './lib/start-error.ts'
import { createLicenseAuth } from './license/license-auth.ts'
import { createLicenseStore } from './license/license-store.ts'
import { createEvents } from './observability/events.ts'
import { createLogger, type Logger } from './observability/logger.ts'
import { createMetrics } from './observability/metrics.ts'
import { createOperatorAuth } from './operator/operator-auth.ts'
import { createOperatorSessionStore } from './operator/operator-session-store.ts'
import { createOperatorStore } from './operator/operator-store.ts'
import { createPasswords } from './operator/passwords.ts'
import { createTenantStore } from './operator/tenant-store.ts'
import { createCallEvents } from './pbx/call-events.ts'
import { createCallSignals } from './pbx/call-signals.ts'
import { createCallWatches } from './pbx/call-watch.ts'
import { createHold } from './pbx/hold.ts'
import { createPbxAuth } from './pbx/pbx-auth.ts'
import { createPbxKeyStore } from './pbx/pbx-key-store.ts'
import { createReportRegistration } from './pbx/registrations.ts'
import { createWakeCall } from './pbx/wake-call.ts'
import type { AppCredentials } from './push/app-credentials.ts'
import { createDeliver } from './push/deliver.ts'
import { createOutcomes } from './push/outcomes.ts'
import { createApnsProvider } from './push/providers/apns/apns-provider.ts'
import { createFcmProvider } from './push/providers/fcm/fcm-provider.ts'
import type { Provider, PushProvider } from './push/push.ts'
import { createPushLog } from './push/push-log.ts'
import { createPushLogStore } from './push/push-log-store.ts'
import { createSubmitCall } from './push/submit.ts'
import { openJobQueues } from './queue/job-queues.ts'
import { openTransport } from './transport.ts'

export interface Overrides {
  clock?: Clock
  logger?: Logger
  providers?: Readonly<Record<Provider, PushProvider>>
}

/**
 * The only place that wires: everything a process of ours needs, opened in order and closed in reverse. Nothing in it knows
 * whether the process is an API, a worker or both.
 */
export async function createContext(config: Config, secrets: Secrets, overrides: Overrides = {}) {
  const releaser = createReleaser()
  try {
    const core = await openCore(config, secrets, overrides, releaser)
    return { ...core, ...createFeatures(core), [Symbol.asyncDispose]: () => releaser.release() }
  } catch (error) {
    await releaser.release()
    throw error
  }
}
export type Context = Awaited<ReturnType<typeof createContext>>
type Core = Awaited<ReturnType<typeof openCore>>

/** What holds connections, and what every feature stands on. */
async function openCore(config: Config, secrets: Secrets, overrides: Overrides, releaser: Releaser) {
  const clock = overrides.clock ?? systemClock
  const logger = overrides.logger ?? createLogger(config.logLevel)
  const metrics = createMetrics()
  const events = createEvents(logger, metrics)
  const { databaseUrl, masterKey } = requireSecrets(secrets)
  const keyring = createKeyring(masterKey)
  const onError = (part: string) => (error: Error) => events.backgroundError(part, error)

  const db = releaser.add(openDatabase(databaseUrl), (open: Knex) => open.destroy())
  const { signals, queueBackend } = await openTransport(
    config,
    { ...secrets, databaseUrl },
    releaser,
    onError,
  )
  const queues = releaser.add(openJobQueues(queueBackend, onError('queue')), (open) => open.close())

  const outcomes = createOutcomes(signals, randomUUID(), onError('outcomes'))
  releaser.add(outcomes, (open) => open.close())
  const pushLogStore = createPushLogStore(db)
  const pushLog = releaser.add(createPushLog(pushLogStore, onError('push-log')), (open) => open.drain(2_000))
  const providers = overrides.providers ?? openProviders(secrets.apps, releaser)
  const tokens = createDeviceTokenStore(db)

  const base = { config, clock, logger, metrics, events, keyring, db, signals, queues, queueBackend }
  const push = { outcomes, pushLog, pushLogStore, tokens, providers }
  return { ...base, ...push, appIds: secrets.apps.map(({ id }) => id), stopping: new AbortController() }
}

/** What the processes do; plain functions over the core. */
function createFeatures(core: Core) {
  const { db, keyring, clock, config, events, stopping, queues } = core
  const submitCall = createSubmitCall({
    ...core,
    enqueueCall: (job, jobId) => queues.enqueue('deliver-call', { v: 1, ...job }, jobId),
  })
  const shared = { ...core, submitCall }
  const extensions = createExtensionStore(db)
  const phones = createPhoneStore(db)
  const licenses = createLicenseStore(db)
  const pbxKeys = createPbxKeyStore(db)
  const operatorSessions = createOperatorSessionStore(db)
  const onError = (error: unknown) => events.backgroundError('key-cache', error as Error)
  const calls = createCallSignals(shared.signals, shared.outcomes)
  const onHoldError = (error: Error) => events.backgroundError('hold', error)
  const waiting = { calls, clock, stopping: stopping.signal, onError: onHoldError }
  const watches = createCallWatches(waiting)
  const hold = createHold({ watches, clock, onError: onHoldError })
  const callEvents = createCallEvents({ watches, clock, stopping: stopping.signal })
  return {
    submitCall,
    deliver: createDeliver(core),
    extensions,
    phones,
    licenses,
    tenants: createTenantStore(db),
    pbxKeys,
    operators: createOperatorStore(db),
    operatorSessions,
    operatorAuth: createOperatorAuth({ operatorSessions, keyring, clock }),
    passwords: createPasswords(),
    hold,
    licenseAuth: createLicenseAuth({ licenses, keyring, clock, onError }),
    pbxAuth: createPbxAuth({ pbxKeys, keyring, onError }),
    gatewayPush: createGatewayPush({ ...shared, pushTtlMs: config.pushTtlMs }),
    registerDevice: createRegisterDevice({ devices: createDeviceStore(db), keyring, clock }),
    reportRegistration: createReportRegistration({ ...shared, calls }),
    wakeCall: createWakeCall({ ...shared, phones, calls, hold, callEvents }),
  }
}

function openProviders(apps: readonly AppCredentials[], releaser: Releaser) {
  const apns = new Map(apps.flatMap(({ id, apns }) => (apns ? [[id, apns] as const] : [])))
  const fcm = new Map(apps.flatMap(({ id, fcm }) => (fcm ? [[id, fcm] as const] : [])))
  return {
    apns: releaser.add(createApnsProvider(apns), (open) => open.close()),
    fcm: releaser.add(createFcmProvider(fcm), (open) => open.close()),
  }
}

function requireSecrets({ databaseUrl, masterKey }: Secrets) {
  if (!databaseUrl) throw new StartError('there is no database: set DATABASE_URL')
  if (!masterKey) throw new StartError('there is no secret: set WAKELINE_SECRET')
  return { databaseUrl, masterKey }
}
