import type { Context } from '../src/context.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'installations' | 'announceEndings'>

/** Frees the seats of machines that were not seen for long, and tells the owners of licences that will end. */
export const cullInstallations = ({
  installations,
  announceEndings,
}: Deps): Processor<'cull-installations'> => ({
  async run() {
    // Neither is held up by what is wrong with the other.
    const done = await Promise.allSettled([installations.cullDead(), announceEndings()])
    for (const each of done) if (each.status === 'rejected') throw each.reason
  },
})
