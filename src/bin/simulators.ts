import { once } from 'node:events'
import { Command, InvalidArgumentError } from 'commander'
import { describeSimulators, writeEnvironmentFile } from '../simulators/simulator-environment.ts'
import { startSimulators } from '../simulators/simulators.ts'

const program = new Command('simulators')
  .description('Stand-ins for Apple and Google on 127.0.0.1')
  .option('--directory <path>', 'where their credentials are kept', 'data/simulators')
  .option('--apns-port <port>', 'APNs, production', port, 8443)
  .option('--apns-sandbox-port <port>', 'APNs, sandbox', port, 8444)
  .option('--fcm-port <port>', 'FCM and its token endpoint', port, 8445)
  .option('--control-port <port>', 'control server', port, 8446)
  .parse()

const options = program.opts<Parameters<typeof startSimulators>[0]>()
try {
  await using simulators = await startSimulators(options)
  const file = await writeEnvironmentFile(simulators, options.directory)
  console.log(describeSimulators(simulators, file))
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
} catch (error) {
  console.error(`The simulators cannot run: ${error instanceof Error ? error.message : String(error)}.`)
  process.exitCode = 1
}

function port(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError('Not a port.')
  return value
}
