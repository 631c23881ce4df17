import { endLeftovers } from './leftovers.ts'
import { startOwnPostgres } from './postgres-server.ts'
import { ensureRedisBinary } from './redis-binary.ts'
import { startRedisServer } from './redis-server.ts'
import { createTemplate } from './template-database.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/**
 * The services of a whole test run, as a process of its own: they live until its input ends. Jest may end in any
 * way, Ctrl-C and SIGKILL included, and its global set-up could not load our modules the way the product does.
 */
await using services = await start()

process.stdin.resume()
await new Promise((resolve) => process.stdin.once('close', resolve))
await endLeftovers('WAKELINE_TEST_POSTGRES', services.postgresUrl)

async function start() {
  // Disposed of here only when something below fails half-way.
  await using started = new AsyncDisposableStack()
  ensureRedisBinary()
  const postgres = started.use(await startOwnPostgres())
  const redis = started.use(await startRedisServer())
  await createTemplate(postgres.adminUrl)
  const compiled = started.use(await temporaryDirectory())
  console.log(
    JSON.stringify({
      WAKELINE_TEST_POSTGRES: postgres.adminUrl,
      WAKELINE_TEST_REDIS: redis.url,
      WAKELINE_TEST_COMPILE_CACHE: compiled.path,
    }),
  )
  const all = started.move()
  return { postgresUrl: postgres.adminUrl, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
