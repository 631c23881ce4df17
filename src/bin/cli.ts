import { wakelineCommand } from '../cli.ts'
import { loadConfig } from '../config/config.ts'
import { readEnv } from '../config/env.ts'
import { createContext } from '../context.ts'
import { runOnce } from '../lib/run-program.ts'

/** `npm run wakeline -- <command>`, with the environment of the cluster. */
await runOnce(async () => {
  const command = wakelineCommand(async (work) => {
    const { config, secrets } = loadConfig(readEnv(), 'cluster')
    await using context = await createContext(config, secrets)
    await work(context)
  })
  await command.parseAsync()
})
