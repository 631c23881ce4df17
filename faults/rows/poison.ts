import { SECOND } from '../../src/lib/units.ts'
import type { Lane } from '../../src/push/push-kinds.ts'
import { until } from '../../tests/support/conditions.ts'
import type { Equation } from '../history/equations.ts'
import type { Post } from '../stack/post.ts'
import type { Row, Stage } from './row.ts'

/** Four workers die of the message, three of the call, and a dead one is found out after 35 s and 8 s at most. */
const PARKED_MS = 200 * SECOND
const PARKED = 'push parked: its workers kept dying'

/** A call and a message that kill each worker that meets them. The others must go on, and a person must hear of it. */
export const poison: Row = {
  title: 'a call and a message kill each worker that takes them',
  healMs: 90 * SECOND,
  async hurt(stage) {
    const { stack, load, random, alsoHolds } = stage
    const call = {
      ...poisonous(random.hex(32)),
      subject: `${random.hex(8)}@poison`,
      lane: 'calls',
      mode: 'async',
    } as const
    const message = {
      ...poisonous(random.hex(32)),
      subject: `m-${random.hex(8)}`,
      lane: 'messages',
      mode: 'stored',
    } as const
    const stopped = new AbortController()
    const guards = [
      guardLane(stage, 'calls', call.token, stopped.signal),
      guardLane(stage, 'messages', message.token, stopped.signal),
    ]
    await Promise.all(guards.map(({ ready }) => ready))
    await Promise.all([load.ask(call), load.ask(message)])
    const parked = () => stack.roster.programs.filter(({ output }) => output().includes(PARKED)).length
    await until(() => parked() >= 2, { timeoutMs: PARKED_MS, description: 'both were parked' }).catch(
      () => undefined, // the equation below says so
    )
    stopped.abort()
    await Promise.all(guards.map(({ done }) => done))
    alsoHolds({ 'parked once': parkedOnce([call.subject, message.subject]) })
  },
}

const poisonous = (token: string) => ({ provider: 'apns', token, ends: ['failed'] }) as const

/** Replaces each dead worker by another one that will die as well, until it is enough. */
function guardLane({ stack, disruptions }: Stage, lane: Lane, token: string, signal: AbortSignal) {
  const args = ['faults/programs/crashing-worker.ts', '--lane', lane, '--poison', token]
  const posts = stack.workers[lane]
  const replace = async (post: Post, words: readonly string[] | undefined) => {
    await post.stop()
    await post.start(words)
  }
  const watch = async (post: Post) => {
    const over = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    while (!signal.aborted) {
      const died = await Promise.race([post.program.exited.then(() => true), over.then(() => false)])
      if (!died) break
      disruptions.push({ kind: 'killed', lane, at: Date.now(), until: Date.now() })
      await post.start(args)
    }
  }
  const ready = Promise.all(posts.map((post) => replace(post, args)))
  return { ready, done: ready.then(() => Promise.all(posts.map(watch))) }
}

const parkedOnce =
  (subjects: readonly string[]): Equation =>
  ({ outputs }, stories) => {
    const said = outputs.flatMap(({ text }) => text.split('\n').filter((line) => line.includes(PARKED)))
    return subjects.flatMap((subject) => {
      const story = stories.find(({ item }) => item.subject === subject)
      const alerts = said.filter((line) => story?.ids.some((id) => line.includes(id))).length
      const isParked = story?.row?.state === 'failed' && story.row.reason === 'poison'
      if (alerts === 1 && isParked) return []
      return [`${subject}: ${alerts} alerts, ${story?.row?.state ?? 'no row'} (${story?.row?.reason})`]
    })
  }
