/** What a client would like (RFC 7240): to wait for so many seconds, or not at all. */
export interface Preference {
  waitSeconds?: number
  respondAsync: boolean
}

/** Preferences that are malformed or unknown are ignored, as the RFC asks. */
export function parsePrefer(header: string | string[] | undefined): Preference {
  const parts = [header ?? []]
    .flat()
    .join(',')
    .split(/[,;]/)
    .map((part) => part.trim().toLowerCase())
  const wait = parts
    .map((part) => /^wait *= *"?(\d{1,4})"?$/.exec(part)?.[1])
    .find((value) => value !== undefined)
  return {
    respondAsync: parts.includes('respond-async'),
    ...(wait !== undefined && { waitSeconds: Number(wait) }),
  }
}
