import type { Env } from '../config/env.ts'
import { type Context, createContext } from '../context.ts'
import { StartError } from '../lib/start-error.ts'
import { SECOND } from '../lib/units.ts'
import { createLogger, type Logger } from '../observability/logger.ts'
import type { Lane } from '../push/push-kinds.ts'
import type { Workers } from '../queue/run-workers.ts'
import { runApi } from '../run-api.ts'
import { startSimulators } from '../simulators/simulators.ts'
import { attachDemoPhones } from './attach-demo-phones.ts'
import type { BannerFacts } from './banner.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { ensureDemoTenant } from './demo-tenant.ts'
import { loadEmbeddedConfig } from './embedded-config.ts'
import { ensureFirstOperator } from './first-operator.ts'
import { openStores, type Stores } from './open-stores.ts'
import { chooseProviders, type ProviderChoice } from './provider-choice.ts'
import { reachableUrl } from './reachable-url.ts'
import type { Running } from './run-until-stopped.ts'
import { writeRuntimeFile } from './runtime-file.ts'

export type StartWorkers = (context: Context, lanes: readonly Lane[]) => Workers

export interface Embedded extends Running {
  facts: BannerFacts
}

/** How many requests the simulators keep: they may run for months. */
const SIMULATOR_RECORD = 1_000
/** Jobs in hand are one request to a provider each. */
const WORKERS_CLOSE_MS = 3 * SECOND

/**
 * Everything in one process: PostgreSQL, simulators, workers and API. What was opened is closed in reverse when a later step
 * fails, and when the whole is stopped.
 *
 * @param startWorkers handed in, because only programs know the workers
 * @param told aborts when the start is no longer wanted
 */
export async function startEmbedded(
  env: Env,
  startWorkers: StartWorkers,
  told: AbortSignal,
): Promise<Embedded> {
  const { config, secrets } = loadEmbeddedConfig(env)
  await using opened = new AsyncDisposableStack()
  const directory = opened.use(await openDataDirectory(config.dataDirectory))
  const stores = await openStores(secrets, directory, opened)
  told.throwIfAborted()
  const providers = chooseProviders(config, secrets)
  const simulators = await startChosen(providers, directory, opened)
  told.throwIfAborted()

  const apps = simulators ? [simulators.credentials] : secrets.apps
  const logger = quietAfterwards(createLogger(config.logLevel), opened)
  const context = opened.use(await createContext(config, { ...secrets, ...stores, apps }, { logger }))
  const operator = await ensureFirstOperator(context, directory)
  const demo = await ensureDemoTenant(context, directory)
  const urls = await serve(context, startWorkers, opened)
  if (simulators && demo.usable) await attachDemoPhones(context, simulators, demo, urls.api)
  opened.defer(
    await writeRuntimeFile(directory.path, {
      url: urls.api,
      ...(demo.usable && { pbxKey: demo.pbx_key }),
      ...(simulators && { simulatorsUrl: simulators.controlUrl }),
    }),
  )
  told.throwIfAborted()
  const running = opened.move()
  return {
    facts: {
      urls: { ...urls, ...(simulators && { simulators: simulators.controlUrl }) },
      ...{ operator, demo, providers },
      // Of the process, with the loading of its modules.
      startMs: performance.now(),
      backend: config.queue.backend,
      dataDirectory: directory.path,
      ...(stores.postgres && { postgresPort: stores.postgres.port }),
    },
    failed: failureOf(context, directory, stores, told),
    stop: () => running.disposeAsync(),
  }
}

async function startChosen({ apns }: ProviderChoice, directory: DataDirectory, opened: AsyncDisposableStack) {
  if (apns !== 'simulated') return undefined
  const options = { directory: directory.file('simulators'), record: SIMULATOR_RECORD }
  return opened.use(await startSimulators(options))
}

/**
 * The queue does not wait for the last of its connections to close, and those complain when PostgreSQL ends a moment later.
 * Once all is closed in order that is no news for anybody.
 */
function quietAfterwards(logger: Logger, opened: AsyncDisposableStack): Logger {
  opened.defer(() => {
    logger.level = 'fatal'
  })
  return logger
}

/** Workers first: they are closed last, when nobody waits for them any more. */
async function serve(context: Context, startWorkers: StartWorkers, opened: AsyncDisposableStack) {
  const workers = startWorkers(context, ['calls', 'messages'])
  opened.defer(() => workers.close(WORKERS_CLOSE_MS))
  const api = await runApi(context)
  opened.defer(() => api.close(context.config.drainMs))
  return { api: reachableUrl(api.url), metrics: reachableUrl(api.metricsUrl) }
}

/** Without its database the process would answer errors for ever; whoever started it can start it again. */
async function failureOf(
  { logger }: Context,
  directory: DataDirectory,
  { postgres }: Stores,
  told: AbortSignal,
): Promise<Error> {
  const never = new Promise<Error>(() => undefined)
  if (!postgres) return never
  const { code, signal } = await postgres.exited
  if (told.aborted) return never
  const how = signal ? `by ${signal}` : `with status ${code}`
  const sentence = `PostgreSQL has ended ${how}, so Wakeline stops; ${directory.file('postgres.log')} says more.`
  logger.fatal({ part: 'postgres', code, signal }, sentence)
  return new StartError(sentence)
}
