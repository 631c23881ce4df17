import type { Context } from '../src/context.ts'
import type { Processors } from '../src/queue/run-workers.ts'
import { closeStalePushes } from './close-stale-pushes.ts'
import { deliverCall } from './deliver-call.ts'

/** Everything that happens in the background. A job without a processor does not compile. */
export const createProcessors = (context: Context): Processors => ({
  'deliver-call': deliverCall(context),
  'close-stale-pushes': closeStalePushes(context),
})
