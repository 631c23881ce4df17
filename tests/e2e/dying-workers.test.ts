import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { armedFile, crashedFile } from '../../faults/programs/crash-points.ts'
import type { Lane } from '../../src/push/push-kinds.ts'
import { environmentFor } from '../../src/simulators/simulator-environment.ts'
import { startWorkers } from '../../workers/start-workers.ts'
import { type Program, startProgram } from '../support/cluster.ts'
import { until } from '../support/conditions.ts'
import { type Answer, apnsToken, BACKENDS, startTestGateway, type TestGateway } from '../support/gateway.ts'
import { sharedRedisUrl } from '../support/redis-server.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const CRASHING = 'faults/programs/crashing-worker.ts'
const PARKED = 'push parked: its workers kept dying'
/** The sealed pushes must open in another process. */
const SECRET = 'ab'.repeat(32)

const asyncCall = (gateway: TestGateway, push_token: string) =>
  gateway.push({ push_token, ttl: 120 }, { headers: { prefer: 'respond-async' } })

const arrivals = (gateway: TestGateway, wanted: string) =>
  gateway.simulators.apns.received.filter(({ token }) => token === wanted)

describe.each(BACKENDS)('workers that die on %s', (backend) => {
  const open = () => startTestGateway({ backend, workers: false, env: { WAKELINE_SECRET: SECRET } })
  /** A worker in a process of its own, at the stores of the gateway. */
  async function startWorker({ config, database, simulators }: TestGateway, lane: Lane, words: string[]) {
    const program = startProgram(`worker of ${lane}`, [CRASHING, '--lane', lane, ...words], {
      ...environmentFor(simulators),
      DATABASE_URL: database.url,
      ...(backend === 'redis' && { REDIS_URL: sharedRedisUrl() }),
      WAKELINE_SECRET: SECRET,
      QUEUE_PREFIX: config.queue.prefix,
      METRICS_PORT: '0',
    })
    await program.logged('workers are ready')
    return program
  }

  test('a call whose worker was killed before it sent it is sent by the next one, once', async () => {
    await using gateway = await open()
    await using directory = await temporaryDirectory()
    const words = ['--at', 'after_fetch', '--directory', directory.path]
    await writeFile(join(directory.path, armedFile('after_fetch')), '')
    await using doomed = await startWorker(gateway, 'calls', words)
    const push_token = apnsToken()
    const { json } = await asyncCall(gateway, push_token)
    expect(await doomed.exited).toMatchObject({ signal: 'SIGKILL' })
    expect(await readFile(join(directory.path, crashedFile('after_fetch')), 'utf8')).toBe(json.data.push_id)
    expect(arrivals(gateway, push_token)).toEqual([])

    const workers = startWorkers(gateway.context, ['calls'])
    expect(await gateway.ended(json.data.push_id)).toMatchObject({ delivered: true })
    expect(arrivals(gateway, push_token)).toHaveLength(1)
    await workers.close(2_000)
  }, 60_000)

  test('a call and a message of which workers die are parked with one alert each, and others go on', async () => {
    await using gateway = await open()
    const poison = apnsToken()
    const programs: Program[] = []
    const good: Answer[] = []
    const apple = (push_token: string) => gateway.message({ push_platform: 'apns', push_token, ttl: 120 })
    const alerts = () =>
      programs
        .flatMap((program) => program.output().split('\n'))
        .filter((line) => line.includes(PARKED))
        .map((line) => String(JSON.parse(line).push_id))
    const areParked = () => new Set(alerts()).size === 2
    /** A supervisor, who starts another worker for each one that dies. */
    async function supervise(lane: Lane): Promise<void> {
      while (!areParked()) {
        const program = await startWorker(gateway, lane, ['--poison', poison, '--impatient'])
        programs.push(program)
        good.push(await (lane === 'calls' ? asyncCall(gateway, apnsToken()) : apple(apnsToken())))
        const parked = until(areParked, { timeoutMs: 90_000, description: 'both are parked' })
        await Promise.race([program.exited, parked])
      }
    }
    const bad = await Promise.all([asyncCall(gateway, poison), apple(poison)])
    await Promise.all([supervise('calls'), supervise('messages')])
    const ids = bad.map(({ json }) => json.data.push_id as string)
    for (const id of ids) {
      expect(await gateway.ended(id)).toMatchObject({ status: 'failed', reason: 'poison' })
    }
    expect(alerts().sort()).toEqual(ids.sort())
    for (const { json } of good) {
      // A call that was just being sent when its worker died is not sent again.
      const { delivered, kind, reason } = await gateway.ended(json.data.push_id)
      expect(delivered || (kind === 'call' && reason === 'worker_lost')).toBe(true)
    }
    expect(arrivals(gateway, poison)).toEqual([])
    await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()))
  }, 120_000)
})
