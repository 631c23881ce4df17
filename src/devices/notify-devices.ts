import type { Clock } from '../lib/clock.ts'
import { toError } from '../lib/error.ts'
import { newId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import { Problem } from '../lib/problem.ts'
import type { AnswerHeaders } from '../limits/rate-limit-headers.ts'
import type { TenantPushes } from '../limits/tenant-pushes.ts'
import type { Events } from '../observability/events.ts'
import type { MessageLanePush, PushOf } from '../push/push.ts'
import type { MessageLaneKind, Privacy, PushContents } from '../push/push-kinds.ts'
import type { SubmitMessage } from '../push/submit-message.ts'
import { aimPush } from './aim-push.ts'
import type { AlertToken, AlertTokenStore } from './alert-token-store.ts'

/** What the devices of an extension are told. */
export type Notice = {
  [K in MessageLaneKind]: { kind: K; content: PushContents[K]; ttlMs: number }
}[MessageLaneKind]

export interface NotifyDevicesDeps {
  alertTokens: AlertTokenStore
  submitMessage: SubmitMessage
  tenantPushes: TenantPushes
  keyring: Keyring
  clock: Clock
  events: Events
  /** What Apple and Google may read of it. */
  privacy: Privacy
}

/**
 * Sends a notice to every device of an extension that can show one. Never rejects: what it tells of has happened, whether or not
 * anybody hears of it now, and whether or not a licence lets it be pushed. Resolves when the pushes are promised, and tells how many.
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
      const licenseIds = await allowed(deps, tenantId, tokens.length)
      const submitted = licenseIds.map(async (licenseId, i) => {
        const push = toPush(deps, tenantId, tokens[i] as AlertToken, notice)
        await submitMessage({ ...push, licenseId })
        return 1
      })
      const counts = await Promise.all(submitted.map((each) => each.catch(failed)))
      return counts.reduce((sum: number, count) => sum + count, 0)
    } catch (error) {
      return failed(error)
    }
  }
export type NotifyDevices = ReturnType<typeof createNotifyDevices>

/** Nobody asked for the push, so nobody is answered. */
const NO_ANSWER: AnswerHeaders = { setHeader: () => undefined, addHeader: () => undefined }

/** The licence of each push that may go: of so many, the first ones. */
async function allowed(
  { tenantPushes, events }: NotifyDevicesDeps,
  tenantId: string,
  count: number,
): Promise<readonly string[]> {
  if (count === 0) return []
  const allowance = await tenantPushes.admit(tenantId, 'messages', NO_ANSWER).catch((refusal: unknown) => {
    if (!(refusal instanceof Problem) || refusal.status !== 403) throw refusal
    events.pushesRefused('messages', 'license', count)
  })
  return (await allowance?.take(count).catch(withinLimits)) ?? []
}

/** What is beyond a limit has been counted. */
function withinLimits(refusal: unknown): readonly string[] {
  if (refusal instanceof Problem && refusal.status === 429) return []
  throw refusal
}

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
    ...aimPush(keyring, token),
    extension: token.extension,
    privacy,
    acceptedAt,
    expiresAt: acceptedAt + ttlMs,
  }
  return push as PushOf<typeof kind>
}
