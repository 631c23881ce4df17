import { StartError } from './start-error.ts'

/**
 * Runs a program until it is told to stop. `start` resolves to what stops it; SIGINT and SIGTERM stop it once, and the
 * process ends when nothing is left to do. An error that is meant for the operator is printed as its sentence alone.
 *
 * @param lastResortMs after this a stop that hangs ends the process with status 1
 */
export async function runProgram(
  start: () => Promise<() => Promise<void>>,
  lastResortMs: number,
): Promise<void> {
  try {
    const stop = await start()
    const { promise: told, resolve } = Promise.withResolvers<void>()
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
    await told
    // From here on a second Ctrl-C ends the process at once, as Node does by default.
    process.removeListener('SIGINT', resolve)
    process.removeListener('SIGTERM', resolve)
    setTimeout(() => process.exit(1), lastResortMs).unref()
    await stop()
  } catch (error) {
    report(error)
  }
}

/** Runs a program that ends by itself. */
export async function runOnce(work: () => Promise<void>): Promise<void> {
  await work().catch(report)
}

function report(error: unknown): void {
  process.exitCode = 1
  console.error(error instanceof StartError ? `wakeline: ${error.message}` : error)
}
