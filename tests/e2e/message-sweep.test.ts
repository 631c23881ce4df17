import { startWorkers } from '../../workers/start-workers.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'

test.each(BACKENDS)(
  'a message expires on %s although the chores of the queue cannot be scheduled',
  async (backend) => {
    await using gateway = await startTestGateway({ backend, workers: false })
    const { json } = await gateway.message({ ttl: 1 })
    const { context } = gateway
    const schedule = () => Promise.reject(new Error('the queue is away'))
    // Nothing but the sweep looks at it: its job is gone.
    await context.queues.raw.get('messages-fcm')?.drain()
    const workers = startWorkers({ ...context, queues: { ...context.queues, schedule } }, ['messages'])
    await context.db.raw('UPDATE pending_pushes SET expires_at = now(), next_check_at = now()')
    expect(await gateway.ended(json.data.push_id)).toMatchObject({ status: 'expired' })
    await workers.close(2_000)
  },
)
