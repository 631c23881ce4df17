import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { loadConfig } from '../../src/config/config.ts'
import { readEnv } from '../../src/config/env.ts'
import { type Context, createContext } from '../../src/context.ts'
import { runProgram } from '../../src/lib/run-program.ts'
import { SECOND } from '../../src/lib/units.ts'
import { createDeliverMessage } from '../../src/push/deliver-message.ts'
import { createProviderCircuit } from '../../src/push/provider-circuit.ts'
import type { CallLanePush } from '../../src/push/push.ts'
import type { Lane } from '../../src/push/push-kinds.ts'
import { createSendTry } from '../../src/push/send-try.ts'
import { queues } from '../../src/queue/jobs.ts'
import { startWorkers } from '../../workers/start-workers.ts'
import { armedFile, CRASH_POINTS, type CrashPoint, crashedFile } from './crash-points.ts'

/**
 * A worker of the product with one bad day: it kills itself at a point of a push's way as soon as the file says so, or each time
 * it meets one device token. All that it does until then is the product's own.
 */
const options = new Command('crashing-worker')
  .addOption(new Option('--lane <lane>').choices(['calls', 'messages']).makeOptionMandatory())
  .addOption(new Option('--at <point>').choices(CRASH_POINTS))
  .option('--directory <path>', 'where the file is that arms it', '')
  .option('--poison <token>')
  .option('--impatient', 'jobs of dead workers are taken over after a second')
  .parse()
  .opts<{ lane: Lane; at?: CrashPoint; directory: string; poison?: string; impatient?: true }>()

if (options.impatient) {
  for (const queue of Object.values(queues)) {
    Object.assign(queue, { lockMs: SECOND, stalledCheckMs: SECOND / 2, apartMs: SECOND / 2 })
  }
}

await runProgram(async (opened) => {
  const { config, secrets } = loadConfig(readEnv(), 'cluster')
  const context = opened.use(await createContext(config, secrets))
  const fragile = {
    ...context,
    deliverMessage: crashingMessages(context),
    deliverCall: crashingCalls(context),
  }
  opened.adopt(await startWorkers(fragile, [options.lane]), (workers) => workers.close(config.drainMs))
  context.logger.info({ lanes: [options.lane] }, 'workers are ready')
}, 20_000)

function crash(): never {
  process.kill(process.pid, 'SIGKILL')
  // The signal is on its way; nothing more may happen here until it comes.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  throw new Error('the process outlived SIGKILL')
}

/** Once per file, however many workers look at it. */
function crashAt(point: CrashPoint, pushId: string): void {
  if (options.at !== point) return
  const crashed = join(options.directory, crashedFile(point))
  try {
    renameSync(join(options.directory, armedFile(point)), crashed)
  } catch {
    return // not armed yet, or another one was faster
  }
  writeFileSync(crashed, pushId)
  crash()
}

/** The message's way, with a crash between any two steps of it. */
function crashingMessages(context: Context): Context['deliverMessage'] {
  const { pendingPushes, outcomes, clock, events, appsOf } = context
  const sendTry = createSendTry(context)
  const deliver = createDeliverMessage({
    ...context,
    circuit: createProviderCircuit({ clock, appsOf, onChange: events.providerCircuit }),
    async sendTry(push, attempt, withinMs) {
      if (push.token === options.poison) crash()
      crashAt('after_fence', push.id)
      const tried = await sendTry(push, attempt, withinMs)
      crashAt('after_response', push.id)
      return tried
    },
    outcomes: {
      ...outcomes,
      async note(result) {
        await outcomes.note(result)
        crashAt('after_checkpoint', result.id)
      },
    },
    pendingPushes: {
      ...pendingPushes,
      async end(ended) {
        // The two stores are written side by side; here the note has to be first.
        if (options.at === 'after_checkpoint') await untilNoted(context, ended)
        const closed = await pendingPushes.end(ended)
        for (const [index, { push }] of ended.entries()) if (closed[index]) crashAt('after_ledger', push.id)
        return closed
      },
    },
  })
  const fetched: typeof deliver = Object.assign(
    (...args: Parameters<typeof deliver>) => {
      crashAt('after_fetch', args[0])
      return deliver(...args)
    },
    { expire: deliver.expire, abandon: deliver.abandon },
  )
  return fetched
}

async function untilNoted({ outcomes }: Context, ended: readonly { push: { id: string } }[]): Promise<void> {
  const ids = ended.map(({ push }) => push.id)
  while ((await outcomes.find(ids)).length < ids.length) await new Promise((resolve) => setImmediate(resolve))
}

function crashingCalls({ deliverCall }: Context): Context['deliverCall'] {
  const deliver = (push: CallLanePush, ...rest: [string, Parameters<typeof deliverCall>[2]]) => {
    // One that is over before a dead worker is found out would prove nothing.
    if (push.expiresAt - Date.now() > 15 * SECOND) crashAt('after_fetch', push.id)
    if (push.token === options.poison) crash()
    return deliverCall(push, ...rest)
  }
  return Object.assign(deliver, { abandon: deliverCall.abandon })
}
