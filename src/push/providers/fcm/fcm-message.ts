import type { TokenMessage } from 'firebase-admin/messaging'
import type { Push } from '../../push.ts'

/**
 * Data only and high priority: the one kind of message that wakes an Android app from Doze and leaves the ringing to it.
 * https://firebase.google.com/docs/cloud-messaging/android/message-priority
 * @param now Milliseconds since the epoch.
 */
export function createFcmMessage({ token, content, expiresAt }: Push, now: number): TokenMessage {
  const { callUuid, callId, callerId, callerName } = content
  return {
    token,
    data: {
      type: 'incoming_call',
      call_id: callUuid,
      sip_call_id: callId,
      caller_id: callerId,
      ...(callerName !== undefined && { caller_name: callerName }),
      expires_at: new Date(expiresAt).toISOString(),
    },
    // Milliseconds. A call that has ended must not ring when the phone comes back into coverage.
    android: { priority: 'high', ttl: Math.max(0, expiresAt - now) },
  }
}
