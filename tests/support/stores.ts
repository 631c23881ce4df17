import { randomBytes } from 'node:crypto'
import type { Backend } from '../../src/config/config.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { openTransport } from '../../src/transport.ts'
import { cloneDatabase } from './databases.ts'
import { testConfig } from './gateway.ts'

/** The signals of two processes over the same store. */
export async function openSignals(backend: Backend) {
  const releaser = createReleaser()
  const database = releaser.add(await cloneDatabase(), (open) => open.drop())
  const { config, secrets } = testConfig(
    { backend, env: { QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}` } },
    database.url,
  )
  const errors: Error[] = []
  const open = () =>
    openTransport(
      config,
      { ...secrets, databaseUrl: database.url },
      releaser,
      () => (error) => errors.push(error),
    )
  const [one, two] = [await open(), await open()]
  return {
    one: one.signals,
    two: two.signals,
    database,
    errors,
    [Symbol.asyncDispose]: () => releaser.release(),
  }
}
