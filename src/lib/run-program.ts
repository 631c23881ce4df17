import { StartError } from './start-error.ts'

/**
 * Runs a program until it is told to stop by SIGINT or SIGTERM. What `start` has opened is closed then, in reverse order, and also
 * when it fails half-way: a connection left open would keep a process alive that does nothing. An error that is meant for the
 * operator is printed as its sentence alone.
 *
 * @param lastResortMs after this a stop that hangs ends the process with status 1
 */
export async function runProgram(
  start: (opened: AsyncDisposableStack) => Promise<void>,
  lastResortMs: number,
): Promise<void> {
  const opened = new AsyncDisposableStack()
  try {
    await start(opened)
    await told()
  } catch (error) {
    report(error)
  }
  setTimeout(() => process.exit(1), lastResortMs).unref()
  await opened.disposeAsync().catch(report)
}

/** Hears one signal: a second Ctrl-C ends the process at once, as Node does by default. */
async function told(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', resolve)
  process.once('SIGTERM', resolve)
  await promise
  process.removeListener('SIGINT', resolve)
  process.removeListener('SIGTERM', resolve)
}

/** Runs a program that ends by itself. */
export async function runOnce(work: () => Promise<void>): Promise<void> {
  await work().catch(report)
}

function report(error: unknown): void {
  process.exitCode = 1
  console.error(error instanceof StartError ? `wakeline: ${error.message}` : error)
}
