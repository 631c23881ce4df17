import type { Push } from '../../push/push.ts'
import type { PushResult } from '../../push/push-result.ts'
import { canonicalKey } from '../license-key.ts'
import type { FlowpbxPushLog } from './flowpbx-store.ts'
import { CLOCK_TOLERANCE_MS, type ImportRun } from './import-run.ts'
import { type ImportedPush, judgePushLog } from './judge-rows.ts'

export async function importPushLogs(run: ImportRun, rows: FlowpbxPushLog[]): Promise<void> {
  const tally = run.tallies.pushLogs
  tally.count('read', rows.length)
  const judged = rows.flatMap((row) => {
    const keyHash = run.keyring.licenseKeyHash(canonicalKey(row.license_key ?? ''))
    const owner = run.owners.byKeyHash.get(keyHash)
    const { value, fault } = judgePushLog(row, owner && { ...owner, keyHash }, run.now + CLOCK_TOLERANCE_MS)
    if (fault !== undefined) tally.skip(fault, row.id)
    return value ? [value] : []
  })
  if (judged.length === 0) return
  const times = judged.map(({ at }) => at)
  const ids = judged.map(({ id }) => id)
  const here = await run.store.findPushes(ids, Math.min(...times), Math.max(...times))
  const fresh = judged.filter(({ id }) => !here.has(id)).map((one) => toEnded(run, one))
  if (!run.dryRun && fresh.length > 0) await run.pushLogStore.close(fresh)
  tally.count('created', fresh.length)
  tally.count('already_there', judged.length - fresh.length)
}

/** A push that ended elsewhere. Its token is not known, and nobody searches for the hash of none. */
function toEnded(
  { keyring, appId }: ImportRun,
  { id, owner, provider, at, callId, isDelivered, detail }: ImportedPush,
): { push: Push; result: PushResult } {
  return {
    push: {
      id,
      tenantId: owner.tenantId,
      licenseId: owner.licenseId,
      kind: 'call',
      content: { callId, callUuid: id, callerId: '' },
      provider,
      environment: 'production',
      appId,
      tokenKind: provider === 'fcm' ? 'fcm' : 'apns_voip',
      token: '',
      tokenHash: keyring.tokenHash(''),
      privacy: 'wake',
      acceptedAt: at,
      expiresAt: at,
    },
    result: {
      id,
      state: isDelivered ? 'delivered' : 'failed',
      attempts: 1,
      reason: 'imported',
      ...(detail !== '' && { detail }),
      closedAt: at,
    },
  }
}
