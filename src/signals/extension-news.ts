import { toError } from '../lib/error.ts'
import { MINUTE } from '../lib/units.ts'
import type { Signals, Subscription } from './signals.ts'

/** What became of a call for an extension. */
export interface ExtensionNews {
  /** Its number. */
  extension: string
  type: 'call.ready' | 'call.cancelled'
  callId: string
  /** As the app calls it: the phone that is ready. */
  deviceId?: string
  /** Why there is no call any more. */
  cause?: 'cancelled' | 'declined'
}

/** The same is not told twice in this time. */
const KEPT_MS = MINUTE
const channelOf = (tenantId: string) => `extension-news.${tenantId}`

/** Of the moment, for whoever has an app of the extension at the other end of a line: what gets lost is told by nobody again. */
export function createExtensionNews(
  signals: Pick<Signals, 'putFirst' | 'subscribe'>,
  onError: (error: Error) => void,
) {
  return {
    /** Nobody waits for it, and nobody is hurt when it fails. `about` names what happened: it is told once. */
    tell(tenantId: string, about: string, news: ExtensionNews): void {
      const value = JSON.stringify(news)
      signals
        .putFirst({
          ...{ key: `extension-news.${news.type}.${about}`, value, ttlMs: KEPT_MS },
          channel: channelOf(tenantId),
        })
        .catch((error: unknown) => onError(toError(error)))
    },

    follow: (tenantId: string, listener: (news: ExtensionNews) => void): Subscription =>
      signals.subscribe(channelOf(tenantId), (_key, value) => {
        if (value !== undefined) listener(JSON.parse(value) as ExtensionNews)
      }),
  }
}
export type ExtensionNewsBus = ReturnType<typeof createExtensionNews>
