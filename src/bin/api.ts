import { loadConfig } from '../config/config.ts'
import { readEnv } from '../config/env.ts'
import { createContext } from '../context.ts'
import { runProgram } from '../lib/run-program.ts'
import { runApi } from '../run-api.ts'

/** The API of a cluster; any number of them side by side. */
await runProgram(async () => {
  const { config, secrets } = loadConfig(readEnv(), 'cluster')
  const context = await createContext(config, secrets)
  const api = await runApi(context)
  context.logger.info({ url: api.url }, 'api is ready')
  return async () => {
    await api.close(config.drainMs)
    await context[Symbol.asyncDispose]()
  }
}, 20_000)
