import { SECOND } from '../lib/units.ts'

export interface Running {
  /** Settles, with what to tell the operator, when a part has ended that the program cannot live without. */
  failed: Promise<Error>
  stop(): Promise<void>
}

/** npm passes on the Ctrl-C that the terminal has sent to us as well: so soon after the first, it is the same one. */
const SAME_SIGNAL_MS = 500
/** After this a stop that hangs is no stop. */
const LAST_RESORT_MS = 25 * SECOND

/**
 * Runs a program until Ctrl-C or SIGTERM, whenever it comes: during the start, too. Rejects with what made the program end if
 * nobody asked for it.
 */
export async function runUntilStopped(start: (told: AbortSignal) => Promise<Running>): Promise<void> {
  using signals = listenForSignals()
  const { told } = signals
  const running = await start(told).catch((error: unknown) => {
    // Ctrl-C reaches the programs that a start runs, too: their failure is its consequence, and nobody's fault.
    if (told.aborted) return undefined
    throw error
  })
  if (!running) return
  const failure = await Promise.race([aborted(told), running.failed])
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_RESORT_MS).unref()
  if (!failure) return await running.stop()
  // With a part gone, stopping may fail as well, and beside what is awaited: BullMQ stops listening to a connection before it closes
  // it, and one that breaks in between would end the process. What began it is what the operator needs to read.
  process.on('uncaughtException', (error) => console.error(error))
  await running.stop().catch((error: unknown) => console.error(error))
  throw failure
}

/** The first signal asks, the second one ends the process as if nobody listened. */
function listenForSignals() {
  const asked = new AbortController()
  let since = 0
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked.signal.aborted && performance.now() - since > SAME_SIGNAL_MS) {
      stopListening()
      process.kill(process.pid, signal)
    } else if (!asked.signal.aborted) {
      since = performance.now()
      asked.abort()
    }
  }
  // A program that started us with a channel has ended without a word: nobody is left to stop us.
  const onDisconnect = () => asked.abort()
  const stopListening = () => {
    process.removeListener('SIGINT', onSignal)
    process.removeListener('SIGTERM', onSignal)
    process.removeListener('disconnect', onDisconnect)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  process.on('disconnect', onDisconnect)
  return { told: asked.signal, [Symbol.dispose]: stopListening }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  signal.addEventListener('abort', () => resolve(undefined), { once: true })
  if (signal.aborted) resolve(undefined)
  return promise
}
