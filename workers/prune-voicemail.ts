import type { Context } from '../src/context.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'voicemailRetention' | 'files' | 'badges' | 'clock' | 'events'>

const BATCH = 200
/** What is beyond waits for tomorrow: other housekeeping comes after this. */
const MAX_BATCHES = 50

/** Deletes the messages that their boxes keep no longer. */
export const pruneVoicemail = ({
  voicemailRetention,
  files,
  badges,
  clock,
  events,
}: Deps): Processor<'prune-voicemail'> => ({
  async run() {
    let pruned = 0
    for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
      const gone = await voicemailRetention.prune(new Date(clock.now()), BATCH)
      for (const { tenantId, extensionIds } of gone) badges.changed(tenantId, extensionIds)
      files.eraseSoon(gone.map(({ file }) => file))
      pruned += gone.length
      if (gone.length < BATCH) break
    }
    if (pruned > 0) events.voicemailPruned(pruned)
  },
})
