import { type Logger, pino } from 'pino'
import type { LogLevel } from '../config/config.ts'

export type { Logger } from 'pino'

/** Names whose values never reach a log line, wherever in the object they stand. */
const SECRET_NAMES = [
  'token',
  'push_token',
  'license_key',
  'password',
  'sip_password',
  'authorization',
  'cookie',
  'key',
  'secret',
  'sealed',
]

/** One JSON object per line, with the time in RFC 3339 UTC. */
export const createLogger = (level: LogLevel, destination?: NodeJS.WritableStream): Logger =>
  pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '[redacted]',
      },
    },
    destination ?? process.stderr,
  )
