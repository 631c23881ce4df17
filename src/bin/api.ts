import { loadConfig } from '../config/config.ts'
import { readEnv } from '../config/env.ts'
import { createContext } from '../context.ts'
import { runProgram } from '../lib/run-program.ts'
import { runApi } from '../run-api.ts'

/** The API of a cluster; any number of them side by side. */
await runProgram(async (opened) => {
  const { config, secrets } = loadConfig(readEnv(), 'cluster')
  const context = opened.use(await createContext(config, secrets))
  const api = opened.adopt(await runApi(context), (running) => running.close(config.drainMs))
  context.logger.info({ url: api.url }, 'api is ready')
}, 20_000)
