import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SECOND } from '../../src/lib/units.ts'
import type { Lane } from '../../src/push/push-kinds.ts'
import { until } from '../../tests/support/conditions.ts'
import type { Equation } from '../history/equations.ts'
import { mayRing } from '../history/history.ts'
import { armedFile, type CrashPoint, crashedFile } from '../programs/crash-points.ts'
import type { Row, Stage } from './row.ts'

const PROGRAM = 'faults/programs/crashing-worker.ts'

/** A worker of messages kills itself at this step, and a supervisor starts a usual one in its place. */
export const crashingAt = (point: CrashPoint, title: string): Row => crashingAtEach([point], title)

/** One crash at each of the points, one after the other. */
export const crashingAtEach = (points: readonly [CrashPoint, ...CrashPoint[]], title: string): Row => ({
  title,
  stack: {
    workers: {
      messages: (directory, post) => {
        const point = points[post % points.length] ?? points[0]
        return [PROGRAM, '--lane', 'messages', '--at', point, '--directory', directory]
      },
    },
  },
  async hurt(stage) {
    for (const point of points) await crashOne(stage, point, 'messages')
  },
})

/** Workers of calls that kill themselves when they have taken a job, once that is asked of them. */
export const fragileCallWorkers = (directory: string) => [
  ...[PROGRAM, '--lane', 'calls', '--at', 'after_fetch', '--directory', directory],
]

export async function crashOne(
  { stack: { directory, workers }, disruptions, alsoHolds }: Stage,
  point: CrashPoint,
  lane: Lane,
): Promise<void> {
  await writeFile(join(directory, armedFile(point)), '')
  const dead = await Promise.race(workers[lane].map((post) => post.program.exited.then(() => post)))
  const at = Date.now()
  disruptions.push({ kind: 'killed', lane, at, until: at })
  await dead.start()
  const crashed = await readFile(join(directory, crashedFile(point)), 'utf8')
  alsoHolds({ [`crashed ${point}`]: receivedOf(crashed, point === 'after_response' ? 2 : 1) })
}

/** The push in the middle of which the worker died: whoever takes it up knows what there is to know, and no more. */
const receivedOf =
  (pushId: string, times: number): Equation =>
  (_history, stories) => {
    const story = stories.find(({ ids }) => ids.includes(pushId))
    const seen = story?.receipts.filter(mayRing).length ?? 0
    const isEnded = story?.row?.state === 'delivered'
    if (seen === times && isEnded) return []
    return [
      `${story?.item.subject ?? pushId} (${story?.item.mode}) is ${story?.row?.state ?? 'nowhere'} after ${seen} notifications`,
    ]
  }

/** The vendor has the request and gives no answer, and in this moment its worker dies. */
export const crashAfterWrite: Row = {
  title: 'worker of messages dies: request written, no answer',
  async hurt({ stack, load, disruptions }) {
    const { apns, fcm } = stack.simulators
    let left = 3
    const silent = new Set<string>()
    load.script((item) => {
      if (item.lane !== 'messages' || left === 0) return item
      left -= 1
      silent.add(item.token)
      const simulator = { apns, fcm }[item.provider]
      simulator.answers(item.token, { silent: true })
      return item
    })
    const arrived = () => [...apns.received, ...fcm.received].some(({ token }) => silent.has(token))
    await until(arrived, { timeoutMs: 10 * SECOND, description: 'a message without an answer arrived' })
    // Either of them has it.
    await Promise.all(stack.workers.messages.map((post) => post.kill()))
    const at = Date.now()
    for (const _ of stack.workers.messages) {
      disruptions.push({ kind: 'killed', lane: 'messages', at, until: at })
    }
    load.script(undefined)
    await Promise.all(stack.workers.messages.map((post) => post.start()))
  },
}
