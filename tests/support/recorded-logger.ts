import { Writable } from 'node:stream'
import type { LogLevel } from '../../src/config/config.ts'
import { createLogger } from '../../src/observability/logger.ts'

/** Collects what is logged from a level on, by default all of it. */
export function recordedLogger(level: LogLevel = 'debug') {
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  return { lines, logger: createLogger(level, sink) }
}
