import type { Context } from '../src/context.ts'
import { toError } from '../src/lib/error.ts'
import { type Loop, startLoop } from '../src/lib/loop.ts'
import { SECOND } from '../src/lib/units.ts'

type Deps = Pick<Context, 'relayChat' | 'chatNews' | 'events'>

/** A nudge that got lost costs a message no more than this. */
const EVERY_MS = SECOND

/** Carries messages on to the phones that have to be told of them; any number of nodes may do it. */
export function startChatRelay({ relayChat, chatNews, events }: Deps): Loop {
  const onError = (error: unknown) => events.backgroundError('chat-relay', toError(error))
  const loop = startLoop(relayChat, { everyMs: EVERY_MS, onError })
  const nudges = chatNews.onNudge(loop.wake)
  nudges.ready.catch(onError)
  return {
    async close(ms) {
      nudges.close()
      await loop.close(ms)
    },
  }
}
