/** Why a socket is closed: RFC 6455 section 7.4.1, the registry of IANA, and one of ours. */
export const CLOSE = {
  brokenRules: 1008,
  serverStops: 1012,
  tryAgain: 1013,
  unauthorized: 4401,
} as const
export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE]

/** Those that clients and networks end with; a client may make up any other. */
const USUAL = new Set([1000, 1001, 1005, 1006, 1009])
export const closeLabel = (code: number): string => (USUAL.has(code) ? String(code) : 'other')
