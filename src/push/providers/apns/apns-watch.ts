import type { ClientHttp2Session } from 'node:http2'

/**
 * Pings an idle connection, because a half-open one looks healthy until a call is lost on it. Pings take part in no time-out of
 * node:http2 (https://github.com/nodejs/node/issues/18447), so the limit is ours.
 * @param everyMs Between two pings. @param withinMs For the answer.
 * @param onDead Called once, after which the watch has ended.
 * @returns Ends the watch.
 */
export function watchConnection(
  session: () => ClientHttp2Session | undefined,
  { everyMs, withinMs }: { everyMs: number; withinMs: number },
  onDead: () => void,
): () => void {
  let limit: NodeJS.Timeout | undefined
  const stop = () => {
    clearInterval(timer)
    clearTimeout(limit)
  }
  const ping = () => {
    const watched = session()
    // While an answer is awaited the limit runs: another ping would only put it off.
    if (limit || !watched || watched.connecting || watched.closed || watched.destroyed) return
    limit = setTimeout(() => {
      stop()
      onDead()
    }, withinMs).unref()
    // An error means that the connection has closed meanwhile, which the library notices by itself.
    watched.ping(() => {
      clearTimeout(limit)
      limit = undefined
    })
  }
  const timer = setInterval(ping, everyMs).unref()
  return stop
}
