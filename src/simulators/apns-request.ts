import type { IncomingHttpHeaders } from 'node:http2'
import type { ApnsEnvironment } from './apns-protocol.ts'
import type { ProviderToken } from './apns-provider-token.ts'

/** A request as the checks see it: everything taken apart once. */
export interface ApnsRequest {
  method: string
  /** `undefined` when the path is not one of a device. */
  deviceToken: string | undefined
  headers: IncomingHttpHeaders
  /** A header came twice. */
  hasRepeatedHeader: boolean
  providerToken: ProviderToken
  /** This connection changes its provider token too often. */
  updatesTokenTooOften: boolean
  topic: string
  /** Bytes as they arrived. */
  payloadSize: number
  /** `undefined` when the body is not a JSON object. */
  payload: Readonly<Record<string, unknown>> | undefined
  /** Where the token was issued; `undefined` when the simulator has not been told. */
  tokenEnvironment: ApnsEnvironment | undefined
  serverEnvironment: ApnsEnvironment
  /** Milliseconds since the epoch. */
  now: number
}

/** The token of `/3/device/<token>`, which may be empty; `undefined` for every other path. */
export const deviceTokenOf = (path: string): string | undefined =>
  path === '/3/device' ? '' : /^\/3\/device\/([^/]*)$/.exec(path)?.[1]

/** @param rawHeaders Names and values in turn, as node:http2 hands them over. */
export function hasRepeatedHeader(rawHeaders: readonly string[]): boolean {
  const names = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) names.add(rawHeaders[at] ?? '')
  return names.size * 2 < rawHeaders.length
}

export function parsePayload(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString())
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A header of which there is one at most; repeated ones are refused before anybody reads them. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
