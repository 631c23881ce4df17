import { styleText } from 'node:util'
import { Command } from 'commander'
import { readEnv } from '../config/env.ts'
import { type DemoOptions, presentDemo } from '../demo/present-demo.ts'
import { runOnce } from '../lib/run-program.ts'
import { StartError } from '../lib/start-error.ts'

const env = readEnv()
const options = new Command('demo')
  .description(
    'Four calls to simulated phones, or a chat between two people, told as timelines. Without --url: to the `npm start` that runs on\nthe data directory, or else to a temporary Wakeline.',
  )
  .option('--url <url>', 'API of a running Wakeline')
  .option('--pbx-key <key>', 'PBX key of one of its tenants')
  .option('--simulators <url>', 'control server of its simulators', 'http://127.0.0.1:8446')
  .option('--data <directory>', 'data directory of a running `npm start`', env.DATA_DIR ?? './data')
  .option('--chat', 'two people who write to each other')
  .option('--json', 'print one JSON document')
  .parse()
  .opts<DemoOptions>()

// A temporary Wakeline has to be stopped and its directory removed; a second Ctrl-C does not wait for that.
const told = new AbortController()
const interrupt = () => told.abort(new StartError('interrupted'))
process.once('SIGINT', interrupt)
process.once('SIGTERM', interrupt)

await runOnce(async () => {
  const { ok } = await presentDemo(options, {
    env,
    told: told.signal,
    print: (text) => console.log(text),
    // Plain where standard output is no terminal, and with NO_COLOR.
    paint: (format, text) => styleText(format, text, { stream: process.stdout }),
  })
  if (!ok) process.exitCode = 1
})
