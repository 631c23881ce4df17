import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { createAppApi } from './app-api.ts'
import { openApps } from './apps.ts'
import { createCalls } from './calls.ts'
import type { RealtimeSettings } from './chat/realtime/realtime-settings.ts'
import { createChat, createChatRecheck } from './chat.ts'
import type { Config, Secrets } from './config/config.ts'
import { openDatabase } from './db/database.ts'
import { createDelivery } from './delivery.ts'
import { createDeviceTokenStore } from './devices/device-token-store.ts'
import { createTokenRecords } from './devices/token-records-store.ts'
import { createExtensions } from './extensions.ts'
import { createGatewayPush } from './gateway/gateway-push.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { createKeyring } from './lib/keyring.ts'
import { createPasswords } from './lib/passwords.ts'
import { createReleaser, type Releaser } from './lib/releaser.ts'
import { StartError } from './lib/start-error.ts'
import { createLicenseSigning } from './license/license-signing.ts'
import { createLicensing } from './licensing.ts'
import { createLimiting } from './limiting.ts'
import { createEvents } from './observability/events.ts'
import { createLogger, type Logger } from './observability/logger.ts'
import { createMetrics } from './observability/metrics.ts'
import { createOperatorAuth } from './operator/operator-auth.ts'
import { createOperatorSessionStore } from './operator/operator-session-store.ts'
import { createOperatorStore } from './operator/operator-store.ts'
import { createPbxAuth } from './pbx/pbx-auth.ts'
import { createPbxKeyStore } from './pbx/pbx-key-store.ts'
import { createTokenVerdicts } from './push/create-token-verdicts.ts'
import type { PushProvider } from './push/outcome.ts'
import { createOutcomes } from './push/outcomes.ts'
import type { Provider } from './push/push-kinds.ts'
import { createPushLog } from './push/push-log.ts'
import { createPushLogStore } from './push/push-log-store.ts'
import { openPushHistory } from './push-history.ts'
import { openJobQueues } from './queue/job-queues.ts'
import { withLocalFallback } from './signals/local-fallback.ts'
import { openTransport } from './transport.ts'
import { createUnreadCount } from './unread-count.ts'
import { createVoicemail, openFileStorage } from './voicemail.ts'
import { createWebhookDeliveryStore } from './webhooks/webhook-delivery-store.ts'
import { createAnnounce } from './webhooks/webhooks.ts'
import { createWebhookParts } from './webhooks.ts'

export interface Overrides {
  clock?: Clock
  logger?: Logger
  providers?: Readonly<Record<Provider, PushProvider>>
  /** How long the counters of limits may take, for tests that need them to be exact on a busy machine. */
  counterAnswerMs?: number
  /** How often sockets are looked at, for tests that cannot wait. */
  realtimeSettings?: Partial<RealtimeSettings>
}

/**
 * The only place that wires: everything a process of ours needs, opened in order and closed in reverse. Nothing in it knows
 * whether the process is an API, a worker or both.
 */
export async function createContext(config: Config, secrets: Secrets, overrides: Overrides = {}) {
  const releaser = createReleaser()
  try {
    const core = await openCore(config, secrets, overrides, releaser)
    return { ...core, ...createFeatures(core, releaser), [Symbol.asyncDispose]: () => releaser.release() }
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
  const { signals, queueBackend, counters } = await openTransport(
    config,
    { ...secrets, databaseUrl },
    releaser,
    onError,
    overrides,
  )
  const queues = releaser.add(openJobQueues(queueBackend, onError('queue')), (open) => open.close())

  const callSignals = withLocalFallback(signals, onError('signals'))
  const outcomes = createOutcomes(callSignals, randomUUID(), onError('outcomes'))
  releaser.add(outcomes, (open) => open.close())
  const pushLogStore = createPushLogStore(db, config.pushLogDays)
  const pushLog = releaser.add(createPushLog(pushLogStore, onError('push-log')), (open) => open.drain(2_000))
  const apps = openApps(secrets.apps, releaser, overrides.providers)
  const tokens = createDeviceTokenStore(db)
  const tokenRecords = createTokenRecords(db, (within) =>
    createAnnounce(createWebhookDeliveryStore(within), clock),
  )

  const base = {
    config,
    clock,
    logger,
    metrics,
    events,
    keyring,
    db,
    signals,
    callSignals,
    queues,
    queueBackend,
    counters,
  }
  const webhooks = createWebhookParts(base)
  const { announce } = webhooks.webhooks
  const verdicts = releaser.add(createTokenVerdicts({ tokenRecords, events, clock }), (open) => open.close())
  const push = { outcomes, pushLog, pushLogStore, tokens, tokenRecords, verdicts }
  return {
    ...base,
    ...apps,
    ...push,
    ...webhooks,
    ...createLimiting({ ...base, announce }, releaser),
    ...openPushHistory(databaseUrl, config, releaser),
    realtimeSettings: overrides.realtimeSettings,
    appTokenSecrets: secrets.appTokenSecrets ?? ([keyring.appTokenSecret] as const),
    licenseSigning: createLicenseSigning({
      pem: secrets.licenseSigningKey,
      seed: keyring.licenseSigningSeed,
    }),
    fileStorage: releaser.add(await openFileStorage(config.voicemail, secrets.voicemailBucketKey), (open) =>
      open.close(),
    ),
    stopping: new AbortController(),
  }
}

/** What the processes do; plain functions over the core. */
function createFeatures(core: Core, releaser: Releaser) {
  const { db, keyring, clock, config, events } = core
  // Closed before the providers and stores that it sends by.
  const unreadCount = createUnreadCount(db)
  const recheck = createChatRecheck({ ...core, unreadCount })
  const delivery = releaser.add(createDelivery({ ...core, recheck }), (open) => open.bypass.idle())
  const shared = { ...core, ...delivery, unreadCount }
  const licensing = releaser.add(createLicensing(core), (open) => open.sightings.close())
  const passwords = releaser.add(createPasswords(), (open) => open.close())
  const known = releaser.add(createExtensions({ ...core, ...licensing, passwords }), (open) =>
    open.deviceMoves.close(),
  )
  const voicemail = releaser.add(createVoicemail({ ...shared, ...licensing }), async ({ badges, files }) => {
    await Promise.all([badges.close(), files.idle()])
  })
  const pbxKeys = createPbxKeyStore(db)
  const operatorSessions = createOperatorSessionStore(db)
  const onError = (error: unknown) => events.backgroundError('key-cache', error as Error)
  return {
    ...delivery,
    ...known,
    ...licensing,
    ...createAppApi({ ...core, passwords }),
    ...voicemail,
    ...createChat({ ...shared, ...licensing }),
    unreadCount,
    recheck,
    pbxKeys,
    operators: createOperatorStore(db),
    operatorSessions,
    operatorAuth: createOperatorAuth({ operatorSessions, keyring, clock }),
    passwords,
    ...createCalls({ ...shared, ...known, ...licensing }),
    pbxAuth: createPbxAuth({ pbxKeys, keyring, addressGuard: core.addressGuard, onError }),
    gatewayPush: createGatewayPush({ ...shared, pushTtlMs: config.pushTtlMs, privacy: config.pushPrivacy }),
  }
}

function requireSecrets({ databaseUrl, masterKey }: Secrets) {
  if (!databaseUrl) throw new StartError('there is no database: set DATABASE_URL')
  if (!masterKey) throw new StartError('there is no secret: set WAKELINE_SECRET')
  return { databaseUrl, masterKey }
}
