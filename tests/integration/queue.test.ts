import { newId } from '../../src/lib/ids.ts'
import { type CallJob, jobs } from '../../src/queue/jobs.ts'
import { type Processors, RetryLater, type Try } from '../../src/queue/run-workers.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS } from '../support/gateway.ts'
import { openQueue } from '../support/stores.ts'

const job: CallJob = { v: 1, sealed: 'sealed', expiresAt: 0, replyTo: 'nobody' }

/** Processors whose call job does what the test says; the housekeeping does nothing. */
const doing = (run: Processors['deliver-call']['run']): Processors => ({
  'deliver-call': { run },
  'close-stale-pushes': { run: async () => undefined },
})

describe.each(BACKENDS)('the queue on %s', (backend) => {
  test('gives each job to a worker once, also when it was added twice', async () => {
    const seen: string[] = []
    await using queue = await openQueue(
      backend,
      doing(async (_job, _try, id) => void seen.push(id)),
    )
    const ids = Array.from({ length: 50 }, newId)
    await Promise.all([...ids, ...ids].map((id) => queue.queues.enqueue('deliver-call', job, id)))
    queue.work()
    await until(() => seen.length >= 50, { description: 'all have run' })
    const { counts } = await queue.queues.depth('calls')
    expect(counts.waiting).toBe(0)
    expect(seen.sort()).toEqual(ids.sort())
  })

  test('tries again after the pauses of the catalogue, and tells the last try', async () => {
    const tries: (Try & { at: number })[] = []
    const run = async (_job: CallJob, attempt: Try) => {
      tries.push({ ...attempt, at: performance.now() })
      throw new RetryLater('busy')
    }
    await using queue = await openQueue(backend, doing(run))
    queue.work()
    await queue.queues.enqueue('deliver-call', job, newId())
    const { attempts, pauses } = jobs['deliver-call']
    await until(() => tries.length === attempts, {
      timeoutMs: 10_000,
      description: 'all tries have been made',
    })
    expect(tries.map(({ number }) => number)).toEqual([0, 1, 2, 3])
    expect(tries.map(({ last }) => last)).toEqual([false, false, false, true])
    const waited = tries.slice(1).map(({ at }, i) => at - (tries[i]?.at ?? 0))
    for (const [i, pause] of pauses.entries()) {
      expect(waited[i]).toBeGreaterThanOrEqual(pause - 20)
      expect(waited[i]).toBeLessThan(pause + 1_000)
    }
    expect(tries[0]?.pauseMs).toBe(pauses[0])
  })

  test('waits longer when the provider asked for it', async () => {
    const at: number[] = []
    const run = async () => {
      at.push(performance.now())
      if (at.length === 1) throw new RetryLater('busy', 600)
    }
    await using queue = await openQueue(backend, doing(run))
    queue.work()
    await queue.queues.enqueue('deliver-call', job, newId())
    await until(() => at.length === 2, { description: 'it is tried again' })
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(580)
  })

  test('parks a job that cannot be worked on, and goes on with the others', async () => {
    const done: string[] = []
    const run = async (data: CallJob, _try: Try, id: string) => {
      if (data.v !== 1) throw new Error('unknown shape')
      done.push(id)
    }
    await using queue = await openQueue(backend, doing(run))
    queue.work()
    await queue.queues.enqueue('deliver-call', { ...job, v: 2 } as never, newId())
    const good = newId()
    await queue.queues.enqueue('deliver-call', job, good)
    await until(async () => (await queue.queues.depth('calls')).counts.failed === 1, {
      description: 'it is parked',
    })
    await until(() => done.includes(good), { description: 'the other one has run' })
    expect(done).toEqual([good])
  })

  test('says how many jobs wait, and for how long', async () => {
    await using queue = await openQueue(
      backend,
      doing(async () => undefined),
    )
    expect(await queue.queues.depth('calls')).toMatchObject({ oldestMs: 0 })
    await queue.queues.enqueue('deliver-call', job, newId())
    const depth = await until(
      async () => {
        const now = await queue.queues.depth('calls')
        return now.oldestMs > 0 ? now : undefined
      },
      { description: 'the job has an age' },
    )
    expect(depth.counts.waiting).toBe(1)
    await queue.queues.ping()
  })

  test('repeats the housekeeping once over all nodes', async () => {
    let runs = 0
    const processors: Processors = {
      ...doing(async () => undefined),
      'close-stale-pushes': {
        run: async () => {
          runs += 1
        },
      },
    }
    await using queue = await openQueue(backend, processors)
    // As two nodes do it.
    await queue.queues.repeat('close-stale-pushes', {}, 200)
    await queue.queues.repeat('close-stale-pushes', {}, 200)
    queue.work()
    const begin = performance.now()
    await until(() => runs >= 3, { description: 'it has run three times' })
    expect(performance.now() - begin).toBeGreaterThan(300)
  })
})
