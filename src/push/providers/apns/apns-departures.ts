import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from 'node:http2'

/** https://nodejs.org/docs/latest-v24.x/api/diagnostics_channel.html#http2 */
const STREAM_CREATED = 'http2.client.stream.created'

interface StreamCreated {
  stream: ClientHttp2Stream
  headers: OutgoingHttpHeaders
}

/** `waiting`: for the connection, or for its turn on it. What is not known counts as `left`. */
export type Whereabouts = 'not_connected' | 'waiting' | 'left'

/** One request on its way to the wire. */
export interface Departure {
  /** As it was when its time was over, or as it is. */
  whereabouts(): Whereabouts
  /** It must not leave any more. */
  recall(): Whereabouts
  [Symbol.dispose](): void
}

/**
 * Knows of each request whether its headers have left, and stops those that have not: node:http2 keeps them for a connection that
 * comes late, and for a gateway that takes only so many at a time. The state of the connection tells neither, because it may have
 * been replaced meanwhile.
 */
export function createApnsDepartures() {
  const awaited = new Map<string, (stream: ClientHttp2Stream) => void>()
  const onCreated = (message: unknown) => {
    const { stream, headers } = message as StreamCreated
    awaited.get(String(headers['apns-id']))?.(stream)
  }
  subscribe(STREAM_CREATED, onCreated)

  return {
    /** @param id The `apns-id` of a request that is about to be made. */
    expect(id: string): Departure {
      let stream: ClientHttp2Stream | undefined
      let recalled: Whereabouts | undefined
      const recall = (): Whereabouts => {
        recalled ??= whereaboutsOf(stream)
        if (recalled !== 'left') stream?.destroy(new Error('the time for the push is over'))
        return recalled
      }
      const follow = (created: ClientHttp2Stream) => {
        stream = created
        if (recalled) created.destroy(new Error('the time for the push is over'))
        // Before the library's own listener: it would let a push leave that is given up.
        else created.once('timeout', recall)
      }
      awaited.set(id, follow)
      return {
        whereabouts: () => recalled ?? whereaboutsOf(stream),
        recall,
        [Symbol.dispose](): void {
          if (awaited.get(id) === follow) awaited.delete(id)
        },
      }
    },
    close(): void {
      unsubscribe(STREAM_CREATED, onCreated)
    },
  }
}

function whereaboutsOf(stream: ClientHttp2Stream | undefined): Whereabouts {
  if (stream?.id === undefined) return 'not_connected'
  if (stream.closed || stream.destroyed) return 'left'
  return stream.state.state === constants.NGHTTP2_STREAM_STATE_IDLE ? 'waiting' : 'left'
}
