import { toError } from '../lib/error.ts'
import { derivedId } from '../lib/ids.ts'
import { MINUTE } from '../lib/units.ts'
import type { ExtensionNewsBus } from '../signals/extension-news.ts'
import type { Signals } from '../signals/signals.ts'
import type { CallSignals } from './call-signals.ts'
import { type CallEvent, type CallWake, freshContacts, type MobileRegistration } from './call-wake.ts'

/** The longest that a call is worth a push, and some. */
const CURRENT_MS = 2 * MINUTE
/** The last call of an extension that began. */
const currentKey = (tenantId: string, extension: string) =>
  `current-call.${derivedId('current-call', tenantId, extension)}`

/**
 * Tells apps that are open what becomes of a call for their extension. No call waits for it, and none is hurt by what goes wrong in
 * it: nothing here is awaited by who calls it, and nothing is thrown.
 */
export function createCallNews({
  calls,
  signals,
  extensionNews,
  onError,
}: {
  calls: Pick<CallSignals, 'read'>
  signals: Pick<Signals, 'get' | 'put'>
  extensionNews: ExtensionNewsBus
  onError: (error: Error) => void
}) {
  const quietly = (work: Promise<unknown>): void =>
    void work.catch((error: unknown) => onError(toError(error)))

  const tellReady = async (
    tenantId: string,
    extension: string,
    registration: MobileRegistration,
  ): Promise<void> => {
    const [value] = await signals.get([currentKey(tenantId, extension)])
    if (value === undefined) return
    const call = JSON.parse(value) as CallWake
    if (call.expiresAt < registration.at || freshContacts(call, [registration]).length === 0) return
    if ((await calls.read(call)).event) return
    const known = call.pushes.find(({ deviceId }) => deviceId === registration.deviceId)
    const deviceId = registration.deviceKey ?? known?.deviceKey
    extensionNews.tell(tenantId, `${call.id}.${registration.deviceId ?? ''}`, {
      ...{ extension, type: 'call.ready', callId: call.callId },
      ...(deviceId !== undefined && { deviceId }),
    })
  }

  return {
    /** Phones that register from now on do so for this call. */
    started(call: CallWake): void {
      const key = currentKey(call.tenantId, call.extension)
      quietly(signals.put({ key, value: JSON.stringify(call), ttlMs: CURRENT_MS }))
    },

    registered: (tenantId: string, extension: string, registration: MobileRegistration): void =>
      quietly(tellReady(tenantId, extension, registration)),

    ended({ id, tenantId, extension, callId }: CallWake, { kind: cause }: CallEvent): void {
      extensionNews.tell(tenantId, id, { extension, type: 'call.cancelled', callId, cause })
    },
  }
}
export type CallNews = ReturnType<typeof createCallNews>
