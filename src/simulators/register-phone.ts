/** Where a phone registers: its PBX tells Wakeline about it. */
export interface PhoneApi {
  /** `http://host:port` of Wakeline. */
  url: string
  pbxKey: string
  extension: string
  deviceId?: string
}

/** Seconds, as a SIP contact says it. */
const EXPIRES = 300

/**
 * Registers the phone's SIP contact with its push parameters (RFC 8599).
 * @returns The status of the answer, 0 without one, and what went wrong.
 */
export async function registerPhone(
  api: PhoneApi,
  phone: { platform: string; token: string },
  signal: AbortSignal,
): Promise<{ status: number; error?: Error }> {
  const { url, pbxKey, extension, deviceId } = api
  try {
    const response = await fetch(new URL('/api/v1/pbx/registrations', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${pbxKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        extension,
        ...(deviceId !== undefined && { device_id: deviceId }),
        contact: contactOf(extension, phone),
        expires: EXPIRES,
      }),
      signal,
    })
    // Read to the end, or the connection cannot be used again.
    await response.arrayBuffer()
    const { status, ok } = response
    return ok ? { status } : { status, error: new Error(`registration of ${extension} answered ${status}`) }
  } catch (cause) {
    return { status: 0, error: new Error(`registration of ${extension} did not reach ${url}`, { cause }) }
  }
}

function contactOf(extension: string, { platform, token }: { platform: string; token: string }): string {
  // What RFC 3261 section 25.1 does not allow in a parameter is escaped.
  const prid = token.replace(/[^\w\-.!~*'()[\]/:&+$]/g, encodeURIComponent)
  return `<sip:${extension}@127.0.0.1:5060;transport=tls;pn-provider=${platform};pn-prid=${prid}>`
}
