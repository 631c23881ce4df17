import { newId } from '../../src/lib/ids.ts'
import type { ClosedState, PushOf } from '../../src/push/push.ts'
import type { PushResult } from '../../src/push/push-result.ts'

/** Pushes for tests of the push log. What must never be in a row: */
export const SECRETS = { token: 'the-token-in-clear', callerId: '0301234567' }

/** A call push of 2023, which no partition expects. */
export const callPush = (change: Partial<PushOf<'call'>> = {}): PushOf<'call'> => ({
  id: newId(),
  tenantId: newId(),
  kind: 'call',
  provider: 'apns',
  environment: 'production',
  appId: 'default',
  tokenKind: 'apns_voip',
  token: SECRETS.token,
  tokenHash: 'ab'.repeat(32),
  privacy: 'full',
  content: { callId: 'a@b', callUuid: newId(), callerId: SECRETS.callerId },
  acceptedAt: 1_700_000_000_123,
  expiresAt: 1_700_000_030_123,
  ...change,
})

export const endOf = (id: string, state: ClosedState, change: Partial<PushResult> = {}): PushResult => ({
  id,
  state,
  attempts: 1,
  closedAt: 1_700_000_001_000,
  ...change,
})
