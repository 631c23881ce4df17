import { newId } from '../../src/lib/ids.ts'
import { type CallJob, jobs } from '../../src/queue/jobs.ts'
import { type Processors, RetryLater, type Try } from '../../src/queue/run-workers.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS } from '../support/gateway.ts'
import { openQueue } from '../support/stores.ts'

const job: CallJob = { v: 1, sealed: 'sealed', expiresAt: 0, replyTo: 'nobody' }

const nothing = { run: async () => undefined }

/** Processors whose call job does what the test says; all others do nothing. */
const doing = (run: Processors['deliver-call']['run'], others: Partial<Processors> = {}): Processors => ({
  ...(Object.fromEntries(Object.keys(jobs).map((name) => [name, nothing])) as unknown as Processors),
  'deliver-call': { run },
  ...others,
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
      timeoutMs: 30_000,
      description: 'all tries have been made',
    })
    expect(tries.map(({ number }) => number)).toEqual([0, 1, 2, 3])
    expect(tries.map(({ last }) => last)).toEqual([false, false, false, true])
    const waited = tries.slice(1).map(({ at }, i) => at - (tries[i]?.at ?? 0))
    for (const [i, pause] of pauses.entries()) {
      expect(waited[i]).toBeGreaterThanOrEqual(pause - 20)
      expect(waited[i]).toBeLessThan(pause + 10_000)
    }
    expect(tries[0]?.pauseMs).toBe(pauses[0])
  })

  test('waits longer when the provider asked for it', async () => {
    const at: number[] = []
    const run = async () => {
      at.push(performance.now())
      if (at.length === 1) throw new RetryLater('busy', { delayMs: 600 })
    }
    await using queue = await openQueue(backend, doing(run))
    queue.work()
    await queue.queues.enqueue('deliver-call', job, newId())
    await until(() => at.length === 2, { description: 'it is tried again' })
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(580)
  })

  test.each([
    ['another version', { ...job, v: 2 }],
    ['a field missing', { v: 1, sealed: 'sealed', expiresAt: 0 }],
    ['a field of another type', { ...job, expiresAt: 'soon' }],
    ['nothing in it', {}],
    ['a list in its place', []],
  ])('parks a job with %s with its reason, and goes on with the others', async (_what, broken) => {
    const done: string[] = []
    await using queue = await openQueue(
      backend,
      doing(async (_data: CallJob, _try: Try, id: string) => void done.push(id)),
    )
    queue.work()
    const bad = newId()
    await queue.queues.enqueue('deliver-call', broken as never, bad)
    const good = newId()
    await queue.queues.enqueue('deliver-call', job, good)
    const parked = await until(
      async () => {
        const [failed] = (await queue.queues.raw.get('calls')?.getFailed()) ?? []
        return failed
      },
      { description: 'it is parked' },
    )
    expect(parked.id).toBe(bad)
    expect(parked.failedReason).toMatch(/another shape than this worker knows/)
    expect(parked.attemptsMade).toBeLessThanOrEqual(1)
    await until(() => done.includes(good), { description: 'the other one has run' })
    expect(done).toEqual([good])
    expect(await queue.queues.fateOf('deliver-call', bad)).toBe('over')
  })

  test('parks a job of a name that nobody knows', async () => {
    await using queue = await openQueue(
      backend,
      doing(async () => undefined),
    )
    queue.work()
    await queue.queues.raw.get('calls')?.add('from-tomorrow', {})
    const parked = await until(async () => (await queue.queues.raw.get('calls')?.getFailed())?.[0], {
      description: 'it is parked',
    })
    expect(parked.failedReason).toBe('no processor for a job named from-tomorrow')
  })

  test('takes no job from a queue that is held, and goes on afterwards; other queues go on', async () => {
    const at: number[] = []
    const calls: string[] = []
    const message = { v: 1, pushId: newId() } as const
    await using queue = await openQueue(
      backend,
      doing(async (_job, _try, id) => void calls.push(id), {
        'deliver-fcm-message': {
          run: async () => {
            at.push(performance.now())
            if (at.length === 1) throw new RetryLater('down', { delayMs: 50, holdQueueMs: 1_000 })
          },
        },
      }),
    )
    queue.work()
    await queue.queues.enqueue('deliver-fcm-message', message, newId())
    await until(() => at.length === 1, { description: 'the first one has failed' })
    await queue.queues.enqueueAll(
      'deliver-fcm-message',
      Array.from({ length: 5 }, () => ({ payload: message, jobId: newId() })),
    )
    await queue.queues.enqueue('deliver-call', job, newId())
    await until(() => calls.length === 1, { description: 'the call goes out' })
    await until(() => at.length === 7, { description: 'the messages have run' })
    // A worker that was waiting for a job when the queue was held may still take one.
    const early = at.slice(1).filter((time) => time - (at[0] ?? 0) < 900)
    expect(early.length).toBeLessThanOrEqual(1)
  })

  test('tells what became of a job', async () => {
    await using queue = await openQueue(
      backend,
      doing(async () => undefined),
    )
    const id = newId()
    expect(await queue.queues.fateOf('deliver-call', id)).toBe('unknown')
    await queue.queues.enqueue('deliver-call', job, id)
    expect(await queue.queues.fateOf('deliver-call', id)).toBe('due')
    queue.work()
    await until(async () => (await queue.queues.fateOf('deliver-call', id)) === 'over', {
      description: 'it is over',
    })
  })

  test('forgets jobs that are over for long, and not so many at once that the others wait for it', async () => {
    await using queue = await openQueue(
      backend,
      doing(async () => undefined),
    )
    const { queues } = queue
    const completed = async () => (await queues.depth('calls')).counts.completed ?? 0
    const finish = async (ids: readonly string[]) => {
      for (const id of ids) await queues.enqueue('deliver-call', job, id)
      await until(
        async () => {
          const fates = await Promise.all(ids.map((id) => queues.fateOf('deliver-call', id)))
          return fates.every((fate) => fate === 'over')
        },
        { description: 'the jobs are over' },
      )
    }
    queue.work()
    await finish(Array.from({ length: 40 }, newId))
    await queue.age('calls', 2 * 60_000)

    await finish([newId()])
    // PostgreSQL removes rows beside the others, and all that are due.
    expect(await completed()).toBe(backend === 'redis' ? 36 : 1)
    await finish(Array.from({ length: 10 }, newId))
    expect(await completed()).toBe(11)
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

  test('repeats each chore once over all nodes, also when it is scheduled again', async () => {
    let runs = 0
    const chore = {
      run: async () => {
        runs += 1
      },
    }
    await using queue = await openQueue(
      backend,
      doing(async () => undefined, { 'close-stale-pushes': chore }),
    )
    // As two nodes do it, and as each does it again and again.
    await Promise.all([queue.queues.schedule(), queue.queues.schedule()])
    await queue.queues.schedule()
    const repeated = Object.values(jobs).filter((spec) => spec.everyMs !== undefined)
    const schedulers = await queue.queues.raw.get('housekeeping')?.getJobSchedulers()
    expect(schedulers).toHaveLength(repeated.length)
    queue.work()
    await until(() => runs >= 2, { timeoutMs: 30_000, description: 'it has run twice' })
  })
})
