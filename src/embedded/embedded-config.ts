import { type Config, loadConfig, type Secrets } from '../config/config.ts'
import type { Env } from '../config/env.ts'

/** Where one process in a terminal wants something else than a node of a cluster. */
const DEFAULTS = {
  // The log shares the terminal with the banner.
  LOG_LEVEL: 'warn',
  // Somebody waits for Ctrl-C to end it; most held calls end by themselves in this time.
  DRAIN_SECONDS: '5',
} as const

/** Judges the environment of `npm start`. Throws ConfigError with every fault at once. */
export function loadEmbeddedConfig(env: Env): { config: Config; secrets: Secrets } {
  const given = Object.entries(env).filter(([, value]) => value?.trim())
  return loadConfig({ ...DEFAULTS, ...Object.fromEntries(given) }, 'embedded')
}
