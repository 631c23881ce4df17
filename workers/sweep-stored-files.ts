import type { Context } from '../src/context.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'files' | 'events'>

/** Erases files that nobody has any more, and what uploads left that a crash has ended. */
export const sweepStoredFiles = ({ files, events }: Deps): Processor<'sweep-stored-files'> => ({
  async run() {
    const { erased, failures } = await files.sweep()
    if (erased > 0) events.storedFilesSwept(erased)
    // One tells; all are tried again.
    if (failures.length > 0) throw failures[0]
  },
})
