import { startWorkers } from '../../workers/start-workers.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'

test.each(BACKENDS)(
  'a message expires on %s although the chores of the queue cannot be scheduled',
  async (backend) => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const { json } = await gateway.message({ ttl: 1 })
    const { context } = gateway
    // It follows the answer on its own.
    await until(async () => (await context.queues.depth('messages-fcm')).counts.waiting === 1, {
      description: 'the job is in the queue',
    })
    const schedule = () => Promise.reject(new Error('the queue is away'))
    // Nothing but the sweep looks at it: its job is gone.
    await context.queues.raw.get('messages-fcm')?.drain()
    await context.db.raw('UPDATE pending_pushes SET expires_at = now(), next_check_at = now()')
    const workers = startWorkers({ ...context, queues: { ...context.queues, schedule } }, ['messages'])
    expect(await gateway.ended(json.data.push_id)).toMatchObject({ status: 'expired' })
    await workers.close(2_000)
  },
)
