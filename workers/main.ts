import { Command, Option } from 'commander'
import { loadConfig } from '../src/config/config.ts'
import { readEnv } from '../src/config/env.ts'
import { createContext } from '../src/context.ts'
import { runProgram } from '../src/lib/run-program.ts'
import type { Lane } from '../src/push/push.ts'
import { startWorkers } from './start-workers.ts'

/** The workers of a cluster; any number of them side by side, each on the lanes it is told. */
const { lane } = new Command('workers')
  .addOption(new Option('--lane <lane>', 'calls or messages; both if absent').choices(['calls', 'messages']))
  .parse()
  .opts<{ lane?: Lane }>()

await runProgram(async () => {
  const { config, secrets } = loadConfig(readEnv(), 'cluster')
  const context = await createContext(config, secrets)
  const lanes: readonly Lane[] = lane ? [lane] : ['calls', 'messages']
  const workers = await startWorkers(context, lanes)
  context.logger.info({ lanes }, 'workers are ready')
  return async () => {
    await workers.close(config.drainMs)
    await context[Symbol.asyncDispose]()
  }
}, 20_000)
