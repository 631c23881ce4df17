import type { DeviceTokenStore } from '../devices/device-token-store.ts'
import type { Presence } from '../devices/presence.ts'
import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import type { CallNews } from './call-news.ts'
import type { CallSignals } from './call-signals.ts'
import type { MobileRegistration } from './call-wake.ts'
import { tokensOfContact, withoutTokens } from './contact.ts'

export interface RegistrationReport {
  extension: string
  contact?: string | undefined
  /** The app's own id of the device. */
  deviceKey?: string | undefined
  /** The PBX says that this contact is the mobile app, for example by its User-Agent. */
  mobile?: boolean | undefined
  /** Seconds; 0 takes the contact away (RFC 3261 section 10.2.2). */
  expires: number
}

/** Takes what the registrar of the PBX saw. Only phones of ours release a held call; a desk phone does not. */
export function createReportRegistration(deps: {
  tokens: DeviceTokenStore
  calls: CallSignals
  callNews: CallNews
  presence: Presence
  keyring: Keyring
  clock: Clock
}) {
  return async (tenantId: string, report: RegistrationReport): Promise<{ counts: boolean }> => {
    const at = deps.clock.now()
    const deviceId = await findDevice(deps, tenantId, report)
    if (deviceId === undefined && report.mobile !== true) {
      await deps.presence.note(tenantId, report)
      return { counts: false }
    }
    const registration: MobileRegistration = {
      at,
      ...(report.contact !== undefined && { contact: withoutTokens(report.contact) }),
      ...(deviceId !== undefined && { deviceId }),
      ...(report.deviceKey !== undefined && { deviceKey: report.deviceKey }),
      ...(report.expires === 0 && { gone: true as const }),
    }
    await deps.calls.register(tenantId, report.extension, registration).catch((cause: unknown) => {
      throw new Problem('queue_unavailable', { retryAfter: 1, cause })
    })
    deps.callNews.registered(tenantId, report.extension, registration)
    // After the call that may wait for it.
    await deps.presence.note(tenantId, report)
    return { counts: true }
  }
}
export type ReportRegistration = ReturnType<typeof createReportRegistration>

async function findDevice(
  { tokens, keyring }: Parameters<typeof createReportRegistration>[0],
  tenantId: string,
  { contact, deviceKey, extension }: RegistrationReport,
): Promise<string | undefined> {
  const hashes = tokensOfContact(contact ?? '').map((token) => keyring.tokenHash(token))
  if (deviceKey === undefined && hashes.length === 0) return undefined
  try {
    return await tokens.deviceOf(tenantId, extension, { deviceKey, tokenHashes: hashes })
  } catch (cause) {
    throw new Problem('store_unavailable', { retryAfter: 1, cause })
  }
}
