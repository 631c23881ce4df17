import { aimPush, providerOf } from '../devices/aim-push.ts'
import type { CallToken } from '../devices/phone-store.ts'
import { callUuid, derivedId } from '../lib/ids.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { PushOf } from '../push/push.ts'
import type { Privacy } from '../push/push-kinds.ts'
import type { SubmitCall } from '../push/submit-call.ts'
import type { CallSignals } from './call-signals.ts'
import type { CallWake } from './call-wake.ts'

export interface CallRequest {
  callId: string
  extension: string
  callerId: string
  callerName?: string
  /** Milliseconds the call is worth a push. */
  ttlMs: number
}

export interface CallPushDeps {
  calls: CallSignals
  submitCall: SubmitCall
  keyring: Keyring
  /** What Apple and Google may read of a call. */
  privacy: Privacy
}

export function newCall(
  tenantId: string,
  { callId, extension, ttlMs }: CallRequest,
  dnd: boolean,
  tokens: readonly CallToken[],
  startedAt: number,
): CallWake {
  const id = derivedId(tenantId, 'call', callId, extension)
  const pushes = tokens.map(({ deviceId, deviceKey, kind }) => ({
    pushId: derivedId(id, deviceId),
    deviceId,
    deviceKey,
    provider: providerOf(kind),
  }))
  return { id, tenantId, callId, extension, startedAt, expiresAt: startedAt + ttlMs, dnd, pushes }
}

/**
 * One push per device. Safe to repeat on another node: ids are derived, so the queue and the workers know them again. Throws
 * only when not a single push could be handed over.
 */
export async function pushAll(
  deps: CallPushDeps,
  request: CallRequest,
  call: CallWake,
  tokens: readonly CallToken[],
): Promise<void> {
  const { submitCall, calls } = deps
  const byDevice = new Map(tokens.map((token) => [token.deviceId, token]))
  const submitted = await Promise.allSettled(
    call.pushes.map(async (wanted) => {
      const token = byDevice.get(wanted.deviceId)
      // Gone since the call began, for example logged out: nobody to wake there.
      if (token)
        await submitCall(toPush(deps, request, call, wanted, token), calls.channelOf(call.id), 'late')
    }),
  )
  const failed = submitted.filter(({ status }) => status === 'rejected')
  if (failed.length > 0 && failed.length === submitted.length)
    throw (failed[0] as PromiseRejectedResult).reason
}

function toPush(
  { keyring, privacy }: CallPushDeps,
  request: CallRequest,
  call: CallWake,
  { pushId, licenseId }: CallWake['pushes'][number],
  token: CallToken,
): PushOf<'call'> {
  return {
    id: pushId,
    tenantId: call.tenantId,
    ...(licenseId !== undefined && { licenseId }),
    kind: 'call',
    ...aimPush(keyring, token),
    privacy,
    extension: call.extension,
    content: {
      callId: call.callId,
      callUuid: callUuid(call.tenantId, call.callId, token.tokenHash),
      callerId: request.callerId,
      ...(request.callerName !== undefined && { callerName: request.callerName }),
    },
    acceptedAt: call.startedAt,
    expiresAt: call.expiresAt,
  }
}
