import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { realtimeMetrics } from './realtime-metrics.ts'

/** From a push that rings at once to one that the PBX has given up on. */
const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 30]

/** Everything at /metrics. Labels hold few values: never an id, an extension or a token. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  return {
    registry,
    ...pushMetrics(registers),
    ...laneMetrics(registers),
    ...callMetrics(registers),
    ...limitMetrics(registers),
    ...backgroundMetrics(registers),
    ...realtimeMetrics(registers),
  }
}
export type Metrics = ReturnType<typeof createMetrics>

function pushMetrics(registers: Registry[]) {
  return {
    pushes: new Counter({
      name: 'wakeline_pushes_total',
      help: 'Pushes by how they ended.',
      labelNames: ['provider', 'kind', 'state', 'reason'],
      registers,
    }),
    pushSeconds: new Histogram({
      name: 'wakeline_push_seconds',
      help: 'From the acceptance of a push to the answer of its provider.',
      labelNames: ['provider', 'kind'],
      buckets: CALL_SECONDS,
      registers,
    }),
    bypassed: new Counter({
      name: 'wakeline_calls_bypassed_total',
      help: 'Calls sent by the process that accepted them, because the queue was away.',
      labelNames: ['provider'],
      registers,
    }),
    tokensInvalidated: new Counter({
      name: 'wakeline_tokens_invalidated_total',
      help: 'Device tokens found to be dead.',
      labelNames: ['provider'],
      registers,
    }),
    tokensQuarantined: new Counter({
      name: 'wakeline_tokens_quarantined_total',
      help: 'Device tokens that a provider spoke against, maybe for the fault of somebody else.',
      labelNames: ['provider'],
      registers,
    }),
    tokensPruned: new Counter({
      name: 'wakeline_tokens_pruned_total',
      help: 'Device tokens given up because their device was not seen for long.',
      registers,
    }),
    tokenBreakerOpen: new Gauge({
      name: 'wakeline_token_breaker_open',
      help: '1 while too many tokens of an app fail alike to be believed.',
      labelNames: ['app', 'provider', 'environment', 'reason'],
      registers,
    }),
    tokenBreakerOpened: new Counter({
      name: 'wakeline_token_breaker_opened_total',
      help: 'How often too many tokens of an app failed alike.',
      labelNames: ['app', 'provider', 'environment', 'reason'],
      registers,
    }),
  }
}

/** What the lanes owe and what stands in their way. */
function laneMetrics(registers: Registry[]) {
  return {
    parked: new Counter({
      name: 'wakeline_pushes_parked_total',
      help: 'Pushes given up because their workers kept dying.',
      labelNames: ['kind'],
      registers,
    }),
    providerRefusals: new Counter({
      name: 'wakeline_provider_refusals_total',
      help: 'Tries that a provider refused for a reason that a person has to mend.',
      labelNames: ['app', 'provider', 'reason', 'class'],
      registers,
    }),
    providerDown: new Gauge({
      name: 'wakeline_provider_down',
      help: '1 while the messages of an app wait because their provider fails.',
      labelNames: ['app', 'provider'],
      registers,
    }),
    pendingPushes: new Gauge({
      name: 'wakeline_pushes_pending',
      help: 'Promised pushes that have not ended, over all nodes.',
      registers,
    }),
    pendingOldestSeconds: new Gauge({
      name: 'wakeline_pushes_pending_oldest_seconds',
      help: 'Age of the oldest promised push that has not ended.',
      registers,
    }),
    requeued: new Counter({
      name: 'wakeline_pushes_requeued_total',
      help: 'Promised pushes that had no job in the queue and got a new one.',
      registers,
    }),
  }
}

function callMetrics(registers: Registry[]) {
  return {
    holds: new Histogram({
      name: 'wakeline_hold_seconds',
      help: 'How long calls were held, by outcome.',
      labelNames: ['outcome'],
      buckets: CALL_SECONDS,
      registers,
    }),
    wakeSeconds: new Histogram({
      name: 'wakeline_wake_seconds',
      help: 'From the start of a call to the registration of the phone it woke.',
      buckets: CALL_SECONDS,
      registers,
    }),
  }
}

function limitMetrics(registers: Registry[]) {
  return {
    pushesRefused: new Counter({
      name: 'wakeline_pushes_refused_total',
      help: 'Pushes beyond what their licence may push, by the limit that was met.',
      labelNames: ['lane', 'limit'],
      registers,
    }),
    quotaWarnings: new Counter({
      name: 'wakeline_quota_warnings_total',
      help: 'Licences that have used 80 % of a daily quota, once a day and lane.',
      labelNames: ['lane'],
      registers,
    }),
    addressesBlocked: new Counter({
      name: 'wakeline_addresses_blocked_total',
      help: 'Blocks of addresses that tried too many wrong keys.',
      registers,
    }),
  }
}

function backgroundMetrics(registers: Registry[]) {
  return {
    appLogins: new Counter({
      name: 'wakeline_app_logins_total',
      help: 'Logins of the app, by what came of them.',
      labelNames: ['result'],
      registers,
    }),
    licenseGrace: new Counter({
      name: 'wakeline_license_grace_total',
      help: 'Requests that were let pass although their licence had ended, or could not be looked up.',
      labelNames: ['reason'],
      registers,
    }),
    installationsFreed: new Counter({
      name: 'wakeline_installations_freed_total',
      help: 'Seats of installations that were not seen for long.',
      registers,
    }),
    voicemailPruned: new Counter({
      name: 'wakeline_voicemail_pruned_total',
      help: 'Messages that their boxes kept no longer.',
      registers,
    }),
    storedFilesSwept: new Counter({
      name: 'wakeline_stored_files_swept_total',
      help: 'Recordings without a message that were erased by the sweep.',
      registers,
    }),
    webhookAttempts: new Counter({
      name: 'wakeline_webhook_attempts_total',
      help: 'Attempts to deliver an event to a webhook, by what came of them.',
      labelNames: ['result'],
      registers,
    }),
    clockSkewSeconds: new Gauge({
      name: 'wakeline_clock_skew_seconds',
      help: 'How far the clock of this host is ahead of that of the database.',
      registers,
    }),
    backgroundErrors: new Counter({
      name: 'wakeline_background_errors_total',
      help: 'Faults outside of any request, by where they happened.',
      labelNames: ['part'],
      registers,
    }),
    queueJobs: new Gauge({
      name: 'wakeline_queue_jobs',
      help: 'Jobs in a queue by state.',
      labelNames: ['queue', 'state'],
      registers,
    }),
    queueOldestSeconds: new Gauge({
      name: 'wakeline_queue_oldest_seconds',
      help: 'Age of the oldest waiting job.',
      labelNames: ['queue'],
      registers,
    }),
  }
}
