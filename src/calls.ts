import type { Config } from './config/config.ts'
import { createCallEvents } from './pbx/call-events.ts'
import { createCallNews } from './pbx/call-news.ts'
import { createCallSignals } from './pbx/call-signals.ts'
import { createCallWatches } from './pbx/call-watch.ts'
import { createHold } from './pbx/hold.ts'
import { createReportRegistration } from './pbx/registrations.ts'
import { createWakeCall, type WakeCallDeps } from './pbx/wake-call.ts'
import type { Outcomes } from './push/outcomes.ts'
import { createExtensionNews } from './signals/extension-news.ts'
import type { Signals } from './signals/signals.ts'

/** Made here, out of the others. */
type Made = 'calls' | 'callNews' | 'hold' | 'callEvents' | 'privacy'
type CallDeps = Omit<WakeCallDeps, Made> &
  Omit<Parameters<typeof createReportRegistration>[0], Made> & {
    config: Config
    callSignals: Signals
    outcomes: Outcomes
    /** Aborts when the process must stop waiting for anything. */
    stopping: AbortController
  }

/** Wires what a PBX does with a call: the pushes, the hold, and the news of it for whoever waits. */
export function createCalls(core: CallDeps) {
  const { clock, events, callSignals: signals, stopping, config } = core
  const onError = (part: string) => (error: Error) => events.backgroundError(part, error)
  const calls = createCallSignals(signals, core.outcomes)
  const extensionNews = createExtensionNews(signals, onError('extension-news'))
  const callNews = createCallNews({ calls, signals, extensionNews, onError: onError('extension-news') })
  const waiting = { calls, clock, stopping: stopping.signal, onError: onError('hold') }
  const watches = createCallWatches(waiting)
  const hold = createHold({ ...waiting, watches })
  const callEvents = createCallEvents({ ...waiting, watches })
  const shared = { ...core, calls, callNews }
  return {
    hold,
    extensionNews,
    reportRegistration: createReportRegistration(shared),
    wakeCall: createWakeCall({ ...shared, hold, callEvents, privacy: config.pushPrivacy }),
  }
}
