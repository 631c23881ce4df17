import type { IncomingHttpHeaders } from 'node:http'

/** The name under which the client asks, without the port; empty when there is none that means something. */
export function requestHost({ host = '' }: IncomingHttpHeaders): string {
  const url = `http://${host}`
  return URL.canParse(url) ? new URL(url).hostname : ''
}
