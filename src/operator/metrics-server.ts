import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config } from '../config/config.ts'
import { type HttpServer, listen } from '../http/server.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { PendingPushStore } from '../push/pending-push-store.ts'
import type { JobQueues } from '../queue/job-queues.ts'
import { QUEUE_NAMES, type QueueName } from '../queue/jobs.ts'

/** A frozen queue must not hang a scrape, whose own time-out is 10 s by default; the other numbers matter most then. */
const DEPTH_MS = 1_000

export interface MetricsServerDeps {
  config: Pick<Config, 'metrics'>
  metrics: Metrics
  queues: Pick<JobQueues, 'depth'>
  pendingPushes: Pick<PendingPushStore, 'backlog'>
  clock: Clock
  events: Pick<Events, 'backgroundError'>
}

/**
 * `/metrics` and `/healthz` on a port of their own, which stays inside; for API and worker processes alike. Rejects with
 * StartError when the port is taken.
 */
export const startMetricsServer = (deps: MetricsServerDeps): Promise<HttpServer> =>
  listen((request, response) => void answer(deps, request, response), {
    ...deps.config.metrics,
    portVariable: 'METRICS_PORT',
  })

async function answer(
  deps: MetricsServerDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0]
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Cache-Control', 'no-store')
  if (path !== '/metrics' && path !== '/healthz') return send(response, 404, 'text/plain', 'not found\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    return send(response, 405, 'text/plain', 'method not allowed\n')
  }
  if (path === '/healthz') return send(response, 200, 'application/json', '{"status":"ok"}')
  try {
    await Promise.all([...QUEUE_NAMES.map((queue) => measure(deps, queue)), measurePending(deps)])
    const { registry } = deps.metrics
    send(response, 200, registry.contentType, await registry.metrics())
  } catch (thrown) {
    deps.events.backgroundError('metrics', toError(thrown))
    send(response, 500, 'text/plain', 'internal error\n')
  }
}

/** A queue that does not answer has no numbers: old ones would look like a queue where nothing happens. */
async function measure({ metrics, queues, events }: MetricsServerDeps, queue: QueueName): Promise<void> {
  try {
    const { counts, oldestMs } = await within(DEPTH_MS, `depth of ${queue}`, queues.depth(queue))
    for (const [state, count] of Object.entries(counts)) metrics.queueJobs.set({ queue, state }, count)
    metrics.queueOldestSeconds.set({ queue }, oldestMs / SECOND)
  } catch (thrown) {
    for (const { labels } of (await metrics.queueJobs.get()).values) {
      if (labels.queue === queue) metrics.queueJobs.remove(labels)
    }
    metrics.queueOldestSeconds.remove({ queue })
    events.backgroundError('metrics', toError(thrown))
  }
}

/** What is promised counts in the database: a queue may have forgotten it. */
async function measurePending({ metrics, pendingPushes, events, clock }: MetricsServerDeps): Promise<void> {
  try {
    const { count, oldest } = await within(DEPTH_MS, 'counting promises', pendingPushes.backlog())
    metrics.pendingPushes.set(count)
    metrics.pendingOldestSeconds.set(oldest === undefined ? 0 : Math.max(0, clock.now() - oldest) / SECOND)
  } catch (thrown) {
    metrics.pendingPushes.remove()
    metrics.pendingOldestSeconds.remove()
    events.backgroundError('metrics', toError(thrown))
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type }).end(body)
}
