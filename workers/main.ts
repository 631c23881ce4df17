import { Command, Option } from 'commander'
import { loadConfig } from '../src/config/config.ts'
import { readEnv } from '../src/config/env.ts'
import { createContext } from '../src/context.ts'
import { lowerPriority } from '../src/lib/lower-priority.ts'
import { runProgram } from '../src/lib/run-program.ts'
import { startMetricsServer } from '../src/operator/metrics-server.ts'
import type { Lane } from '../src/push/push-kinds.ts'
import { watchClock } from '../src/watch-clock.ts'
import { startWorkers } from './start-workers.ts'

/** The workers of a cluster; any number of them side by side, each on the lanes it is told. */
const { lane } = new Command('workers')
  .addOption(new Option('--lane <lane>', 'calls or messages; both if absent').choices(['calls', 'messages']))
  .parse()
  .opts<{ lane?: Lane }>()

await runProgram(async (opened) => {
  const { config, secrets } = loadConfig(readEnv(), 'cluster')
  const context = opened.use(await createContext(config, secrets))
  // Nobody waits for a message, and what a burst of them takes from a call beside it on a busy host is heard.
  if (lane === 'messages') lowerPriority()
  const lanes: readonly Lane[] = lane ? [lane] : ['calls', 'messages']
  const metrics = opened.adopt(await startMetricsServer(context), (server) => server.close(0))
  opened.adopt(startWorkers(context, lanes), (workers) => workers.close(config.drainMs))
  opened.adopt(watchClock(context), (watch) => watch.close(0))
  context.logger.info({ lanes, metrics_url: metrics.url }, 'workers are ready')
}, 20_000)
