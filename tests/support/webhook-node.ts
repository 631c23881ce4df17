import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/database.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { newId } from '../../src/lib/ids.ts'
import { createKeyring } from '../../src/lib/keyring.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { MINUTE } from '../../src/lib/units.ts'
import { createEvents } from '../../src/observability/events.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { createDeliverWebhook } from '../../src/webhooks/deliver-webhook.ts'
import { createJudgeAddress } from '../../src/webhooks/reachable-addresses.ts'
import { createResolveHost } from '../../src/webhooks/resolve-host.ts'
import { createWebhookDeliveryStore } from '../../src/webhooks/webhook-delivery-store.ts'
import { createWebhookRequest } from '../../src/webhooks/webhook-request.ts'
import { createWebhookStore } from '../../src/webhooks/webhook-store.ts'
import { createWebhooks } from '../../src/webhooks/webhooks.ts'
import { startWebhookDelivery } from '../../workers/deliver-webhooks.ts'
import { cloneDatabase } from './databases.ts'
import type { ReceivedWebhook } from './webhook-receiver.ts'

export type WebhookNodes = Awaited<ReturnType<typeof openWebhookNodes>>

/** What the processes of a cluster have of webhooks, over one database and one clock that the test moves. */
export async function openWebhookNodes() {
  const releaser = createReleaser()
  const database = releaser.add(await cloneDatabase(), (open) => open.drop())
  const keyring = createKeyring(randomBytes(32))
  let said = ''
  const log = new Writable({
    write(line: Buffer, _encoding, done) {
      said += line
      done()
    },
  })
  const metrics = createMetrics()
  const events = createEvents(createLogger('debug', log), metrics)
  let ahead = 0
  const clock: Clock = { now: () => Date.now() + ahead, monotonic: () => performance.now() + ahead }
  const judge = createJudgeAddress(['127.0.0.0/8'])

  const openNode = () => {
    const db = releaser.add(openDatabase(database.url), (open: Knex) => open.destroy())
    const webhookStore = createWebhookStore(db)
    const webhookDeliveries = createWebhookDeliveryStore(db)
    const shared = { webhookStore, webhookDeliveries, keyring, clock, events }
    const request = createWebhookRequest({ judge, resolve: createResolveHost() })
    return {
      db,
      ...shared,
      webhooks: createWebhooks({ ...shared, judge, hasPrivateNetworks: true }),
      deliverWebhook: createDeliverWebhook({ ...shared, deliveries: webhookDeliveries, request }),
    }
  }
  const node = openNode()
  return {
    ...node,
    clock,
    /** Everything that was logged so far. */
    logged: () => said,
    /** Lets time pass for all nodes. */
    pass(ms: number): void {
      ahead += ms
    },
    /** What a worker does in one look, without its limits; the attempts have ended when this resolves. */
    async deliverDue(): Promise<number> {
      const now = clock.now()
      const claim = { now, leaseUntil: now + MINUTE, limit: 100, perWebhook: 100, inFlight: new Map() }
      const due = await node.webhookDeliveries.claim(claim)
      await Promise.all(due.map((each) => node.deliverWebhook(each, new AbortController().signal)))
      return due.length
    },
    /** Another process with a worker in it. */
    startWorker: () => releaser.add(startWebhookDelivery(openNode()), (open) => open.close(0)),
    async givenTenant(): Promise<string> {
      const id = newId()
      await node.db('tenants').insert({ id, name: 'test' })
      return id
    },
    rows: () => node.db('webhook_deliveries').select('*').orderBy('event_id'),
    attempts: async (result: string): Promise<number> => {
      const { values } = await metrics.webhookAttempts.get()
      return values.find(({ labels }) => labels.result === result)?.value ?? 0
    },
    [Symbol.asyncDispose]: () => releaser.release(),
  }
}

/** The parts of `Wakeline-Signature`. */
export function signatureOf({ headers }: ReceivedWebhook): { t: number; v1: string[] } {
  const parts = String(headers['wakeline-signature'])
    .split(',')
    .map((part) => part.split('='))
  const values = (name: string) => parts.filter(([key]) => key === name).map(([, value]) => String(value))
  return { t: Number(values('t')[0]), v1: values('v1') }
}
