import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** From a push that rings at once to one that the PBX has given up on. */
const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 30]

/** Everything at /metrics. Labels hold few values: never an id, an extension or a token. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  return {
    registry,
    pushes: new Counter({
      name: 'wakeline_pushes_total',
      help: 'Pushes by how they ended.',
      labelNames: ['provider', 'kind', 'state', 'reason'],
      registers,
    }),
    pushSeconds: new Histogram({
      name: 'wakeline_push_seconds',
      help: 'From the acceptance of a push to the answer of its provider.',
      labelNames: ['provider'],
      buckets: CALL_SECONDS,
      registers,
    }),
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
    tokensInvalidated: new Counter({
      name: 'wakeline_tokens_invalidated_total',
      help: 'Device tokens that a provider declared dead.',
      labelNames: ['provider'],
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
export type Metrics = ReturnType<typeof createMetrics>
