import { derivedId } from '../../lib/ids.ts'
import { identityOf } from '../installation-store.ts'
import type { Installation, License } from '../license.ts'
import { canonicalKey, keyPrefix } from '../license-key.ts'
import { MAX_KEY_LENGTH } from '../license-request.ts'
import { ENTITLEMENTS } from '../tiers.ts'
import { cleanErrorText } from './clean-error-text.ts'
import type { FlowpbxInstallation, FlowpbxLicense, FlowpbxPushLog, Moment } from './flowpbx-store.ts'

/** What a row becomes here, or why it cannot: a sentence without anything secret. */
export type Judged<Value> = { value: Value; fault?: undefined } | { value?: undefined; fault: string }

/** As long as `/v1/license/activate` takes them. */
const MAX_HOSTNAME = 255
const MAX_VERSION = 64
const MAX_CALL_ID = 256
/** The years that both RFC 3339 and PostgreSQL write with four digits. */
const FIRST_MOMENT = Date.parse('0001-01-01T00:00:00Z')
const LAST_MOMENT = Date.parse('9999-12-31T23:59:59.999Z')
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A licence with its key's hash, by which it is found again. */
export interface ImportedLicense {
  sourceId: string
  license: License
  keyHash: string
  prefix: string
}

/** Whose an imported row is. */
export interface Owner {
  licenseId: string
  tenantId: string
}

/** FlowPBX knew no seats and no entitlements: nothing that works today may stop with the move. */
export function judgeLicense(
  row: FlowpbxLicense,
  hashOf: (canonicalKey: string) => string,
): Judged<ImportedLicense> {
  const key = canonicalKey(row.key ?? '')
  if (key === '') return { fault: 'the key is empty' }
  if (key.length > MAX_KEY_LENGTH) return { fault: `the key has more than ${MAX_KEY_LENGTH} characters` }
  if (row.tier === null) return { fault: 'there is no tier' }
  const { max_extensions: maxExtensions } = row
  if (maxExtensions === null || maxExtensions < 0)
    return { fault: 'max_extensions is no number of extensions' }
  const createdAt = timeOf(row.created_at)
  if (createdAt === undefined) return { fault: 'created_at is no date of a calendar' }
  // FlowPBX lets any later moment pass, and `infinity` is one.
  const isEndless = row.expires_at === null || Number(row.expires_at) > LAST_MOMENT
  const expiresAt = timeOf(row.expires_at)
  if (!isEndless && expiresAt === undefined) return { fault: 'expires_at is no date of a calendar' }
  const keyHash = hashOf(key)
  const license: License = {
    id: derivedId('flowpbx', 'license', keyHash),
    tenantId: derivedId('flowpbx', 'tenant', keyHash),
    tier: row.tier,
    maxExtensions,
    entitlements: ENTITLEMENTS,
    createdAt,
    ...(expiresAt !== undefined && { expiresAt }),
  }
  return { value: { sourceId: row.id, license, keyHash, prefix: keyPrefix(key) } }
}

/** What of a licence that is here already is not as it is there. */
export const differencesOf = (here: License, there: License): string[] => [
  ...(here.tier === there.tier ? [] : ['tier']),
  ...(here.maxExtensions === there.maxExtensions ? [] : ['max_extensions']),
  ...(here.expiresAt === there.expiresAt ? [] : ['expires_at']),
]

export function judgeInstallation(
  row: FlowpbxInstallation,
  owner: Owner | undefined,
): Judged<{ installation: Installation; identity: string }> {
  if (!owner) return { fault: 'its licence was not imported' }
  if (row.copy > 1 && row.instance_id) return { fault: 'an earlier row has the same instance_id' }
  const hostname = row.hostname?.trim() ?? ''
  if (hostname === '') return { fault: 'the hostname is empty' }
  if (hostname.length > MAX_HOSTNAME)
    return { fault: `the hostname has more than ${MAX_HOSTNAME} characters` }
  const activatedAt = timeOf(row.activated_at) ?? timeOf(row.last_seen_at)
  if (activatedAt === undefined)
    return { fault: 'neither activated_at nor last_seen_at is a date of a calendar' }
  const instanceId = row.instance_id ?? ''
  const id = UUID.test(instanceId)
    ? instanceId.toLowerCase()
    : derivedId('flowpbx', 'installation', owner.licenseId, instanceId || `row ${row.id}`)
  const installation = {
    id,
    licenseId: owner.licenseId,
    hostname,
    version: cut(row.version ?? '', MAX_VERSION),
    activatedAt,
    lastSeenAt: timeOf(row.last_seen_at) ?? activatedAt,
  }
  return { value: { installation, identity: identityOf(installation) } }
}

/** A push that ended elsewhere, without its token and without its key. */
export interface ImportedPush {
  id: string
  owner: Owner
  provider: 'apns' | 'fcm'
  /** Milliseconds since the epoch. */
  at: number
  callId: string
  isDelivered: boolean
  detail: string
}

/** @param latest nothing can have been sent later; milliseconds since the epoch */
export function judgePushLog(
  row: FlowpbxPushLog,
  owner: (Owner & { keyHash: string }) | undefined,
  latest: number,
): Judged<ImportedPush> {
  if (!owner) return { fault: 'its licence was not imported' }
  const { platform: provider } = row
  if (provider !== 'fcm' && provider !== 'apns') return { fault: 'the platform is neither fcm nor apns' }
  const at = timeOf(row.created_at)
  if (at === undefined) return { fault: 'created_at is no date of a calendar' }
  if (at > latest) return { fault: 'created_at is in the future' }
  const callId = row.call_id ?? ''
  return {
    value: {
      // Row numbers begin anew in each FlowPBX, so they alone would mix two of them up.
      id: derivedId('flowpbx', 'push', owner.keyHash, row.id, String(at), callId),
      owner,
      provider,
      at,
      callId: cut(callId, MAX_CALL_ID),
      isDelivered: row.success === true,
      detail: cleanErrorText(row.error ?? '', row.license_key ?? ''),
    },
  }
}

/** Milliseconds since the epoch; undefined for what is no day of a calendar. */
function timeOf(moment: Moment): number | undefined {
  const time = moment instanceof Date ? moment.getTime() : Number.NaN
  return time >= FIRST_MOMENT && time <= LAST_MOMENT ? time : undefined
}

/** Never in the middle of a letter. */
const cut = (text: string, length: number): string => Array.from(text).slice(0, length).join('')
