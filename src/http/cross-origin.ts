import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../lib/problem.ts'

/**
 * SameSite=Strict keeps the session cookie away from other sites; this keeps them from changing anything where a browser does
 * not know that attribute.
 */
export function refuseOtherSites({
  method,
  headers,
}: {
  method: string
  headers: IncomingHttpHeaders
}): void {
  if (method === 'GET' || method === 'HEAD' || !isCrossOrigin(headers)) return
  throw new Problem('forbidden', {
    sentence: 'requests from other sites are refused',
    code: 'cross_origin',
  })
}

/**
 * Whether a page of another site made the browser send this. `Sec-Fetch-Site` says so itself, also behind a proxy that
 * changes Host; over plain HTTP browsers leave it out, and `Origin` has to be compared. What sends neither is no browser, so
 * nobody's cookie is being abused.
 */
function isCrossOrigin(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  const { origin, host } = headers
  if (origin === undefined) return false
  return !URL.canParse(origin) || new URL(origin).host !== host
}
