import { type Logger, pino } from 'pino'
import type { LogLevel } from '../config/config.ts'
import { toError } from '../lib/error.ts'

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

/** A query of some hundred rows is a message of as many kilobytes. */
const MOST_MESSAGE = 1_000
const MOST_STACK = 2_000
/** What caused it, and what that: further back says nothing, and may go round in a circle. */
const MOST_CAUSES = 3

/**
 * What an error says, and not what it carries: those of Knex have the values of their query with them, which are tokens, numbers and
 * passwords of people, and hundreds of kilobytes that every request of an outage would write.
 */
function describeError(thrown: unknown, causes: number): object {
  const { name, message, code, stack, cause }: Described = isDescribed(thrown) ? thrown : toError(thrown)
  return {
    type: name,
    message: message.slice(0, MOST_MESSAGE),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(stack !== undefined && { stack: stack.slice(0, MOST_STACK) }),
    ...(cause !== undefined && causes > 0 && { cause: describeError(cause, causes - 1) }),
  }
}

type Described = Error & { code?: unknown }
const isDescribed = (thrown: unknown): thrown is Described =>
  typeof thrown === 'object' && thrown !== null && 'message' in thrown && typeof thrown.message === 'string'

/** One JSON object per line, with the time in RFC 3339 UTC. */
export const createLogger = (level: LogLevel, destination?: NodeJS.WritableStream): Logger =>
  pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      serializers: { err: (thrown: unknown) => describeError(thrown, MOST_CAUSES) },
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '[redacted]',
      },
    },
    destination ?? process.stderr,
  )
