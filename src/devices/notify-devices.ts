import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Events } from '../observability/events.ts'
import type { MessageLanePush, PushOf } from '../push/push.ts'
import type { MessageLaneKind, Privacy, PushContents } from '../push/push-kinds.ts'
import type { SubmitMessage } from '../push/submit-message.ts'
import type { AlertToken, AlertTokenStore } from './alert-token-store.ts'
import { tokenContext } from './register-device.ts'

/** What the devices of an extension are told. */
export type Notice = {
  [K in MessageLaneKind]: { kind: K; content: PushContents[K]; ttlMs: number }
}[MessageLaneKind]

export interface NotifyDevicesDeps {
  alertTokens: AlertTokenStore
  submitMessage: SubmitMessage
  keyring: Keyring
  clock: Clock
  events: Events
  /** What Apple and Google may read of it. */
  privacy: Privacy
}

/**
 * Sends a notice to every device of an extension that can show one. Never rejects: what it tells of has happened, whether or not
 * anybody hears of it now. Resolves when the pushes are promised, and tells how many.
 */
export const createNotifyDevices =
  (deps: NotifyDevicesDeps) =>
  async (tenantId: string, extensionId: number, notice: Notice): Promise<number> => {
    const { alertTokens, submitMessage, events } = deps
    const failed = (error: unknown) => {
      events.backgroundError('notify-devices', toError(error))
      return 0
    }
    try {
      const tokens = await alertTokens.of(tenantId, extensionId)
      const submitted = tokens.map(async (token) => {
        await submitMessage(toPush(deps, tenantId, token, notice))
        return 1
      })
      const counts = await Promise.all(submitted.map((each) => each.catch(failed)))
      return counts.reduce((sum: number, count) => sum + count, 0)
    } catch (error) {
      return failed(error)
    }
  }
export type NotifyDevices = ReturnType<typeof createNotifyDevices>

function toPush(
  { keyring, clock, privacy }: NotifyDevicesDeps,
  tenantId: string,
  token: AlertToken,
  { kind, content, ttlMs }: Notice,
): MessageLanePush {
  const acceptedAt = clock.now()
  const push = {
    id: newId(),
    tenantId,
    kind,
    content,
    provider: token.kind === 'apns' ? 'apns' : 'fcm',
    environment: token.environment,
    appId: token.appId,
    tokenKind: token.kind,
    token: keyring.open(token.tokenSealed, tokenContext(token.tokenHash)),
    tokenHash: token.tokenHash,
    deviceId: token.deviceId,
    extension: token.extension,
    privacy,
    acceptedAt,
    expiresAt: acceptedAt + ttlMs,
  }
  return push as PushOf<typeof kind>
}
