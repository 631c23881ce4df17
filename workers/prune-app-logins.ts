import type { Context } from '../src/context.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'appSessions' | 'provisioningLinks' | 'clock'>

const BATCH = 1_000

/** Forgets the passwords of provisioning links that nobody has used, and sessions of the app that have expired. */
export const pruneAppLogins = ({
  appSessions,
  provisioningLinks,
  clock,
}: Deps): Processor<'prune-app-logins'> => ({
  async run() {
    const now = new Date(clock.now())
    await provisioningLinks.prune(now)
    await appSessions.prune(now, BATCH)
  },
})
