import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import { openDatabase } from '../../src/db/database.ts'
import { createDeviceStore } from '../../src/devices/device-store.ts'
import { createExtensionStore } from '../../src/devices/extension-store.ts'
import { createPhoneStore } from '../../src/devices/phone-store.ts'
import { createRegisterDevice } from '../../src/devices/register-device.ts'
import { createTokenRecords } from '../../src/devices/token-records-store.ts'
import { newId } from '../../src/lib/ids.ts'
import { createKeyring, type Keyring } from '../../src/lib/keyring.ts'
import { createEvents } from '../../src/observability/events.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { createTokenVerdicts } from '../../src/push/create-token-verdicts.ts'
import type { Push, PushOf, TokenKind } from '../../src/push/push.ts'
import type { Accusation } from '../../src/push/token-verdicts.ts'
import { cloneDatabase } from './databases.ts'
import { apnsToken } from './gateway.ts'

/** A clock that stands still until it is moved. */
export function createTestClock(startAt = Date.UTC(2026, 10, 21, 10)) {
  let passed = 0
  return {
    now: () => startAt + passed,
    monotonic: () => passed,
    advance: (ms: number) => {
      passed += ms
    },
  }
}

export const badToken = (change: Partial<Accusation> = {}): Accusation =>
  ({
    kind: 'rejected',
    class: 'token',
    reason: 'BadDeviceToken',
    detail: 'Apple does not know this token in this environment.',
    ...change,
  }) as Accusation
export const unregistered = (deadSince?: number): Accusation => ({
  kind: 'token_dead',
  class: 'token',
  reason: 'Unregistered',
  detail: 'The app was removed from the phone.',
  ...(deadSince !== undefined && { deadSince }),
})

/** Whether some statement on the database waits for a lock. */
export async function isSomebodyWaiting(db: ReturnType<typeof openDatabase>): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  )
  return rows.length > 0
}

export type TokenBooks = Awaited<ReturnType<typeof openTokenBooks>>

/** The books of device tokens in a database of their own, with a clock that the test moves. */
export async function openTokenBooks() {
  const database = await cloneDatabase()
  const db = openDatabase(database.url)
  const clock = createTestClock()
  const keyring = createKeyring(randomBytes(32))
  const log: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      log.push(String(chunk))
      done()
    },
  })
  const metrics = createMetrics()
  const events = createEvents(createLogger('debug', sink), metrics)
  const announced: { tenantId: string; type: string; data: Record<string, unknown> }[] = []
  const owners = { cannotBeTold: false }
  const announce = async (tenantId: string, event: { type: string; data: Record<string, unknown> }) => {
    if (owners.cannotBeTold) throw new Error('the event cannot be stored')
    announced.push({ tenantId, ...event })
  }
  const tokenRecords = createTokenRecords(db, () => announce)
  const newTenant = async () => {
    const id = newId()
    await db('tenants').insert({ id, name: 'test' })
    return id
  }
  const tenantId = await newTenant()
  const opened: { close(): void }[] = []
  /** What one more process makes of answers, over the same books. */
  const openVerdicts = () => {
    const verdicts = createTokenVerdicts({ tokenRecords, events, clock })
    opened.push(verdicts)
    return verdicts
  }
  return {
    ...{ database, db, clock, keyring, log, metrics, events, announced, owners, tokenRecords },
    ...{ tenantId, newTenant, openVerdicts, verdicts: openVerdicts() },
    ...booksOf({ db, clock, keyring, tenantId }),
    async [Symbol.asyncDispose]() {
      for (const one of opened) one.close()
      await db.destroy()
      await database.drop()
    },
  }
}

interface Parts {
  db: ReturnType<typeof openDatabase>
  clock: ReturnType<typeof createTestClock>
  keyring: Keyring
  tenantId: string
}

function booksOf({ db, clock, keyring, tenantId }: Parts) {
  const devices = createDeviceStore(db)
  const registerAt = (at: number) =>
    createRegisterDevice({
      devices,
      keyring,
      clock: { ...clock, now: () => at },
      onLeft: async () => undefined,
      onEvicted: async () => undefined,
    })

  const pushTo = (token: string, change: Partial<PushOf<'call'>> = {}): PushOf<'call'> => ({
    id: newId(),
    tenantId,
    kind: 'call',
    provider: change.tokenKind?.startsWith('fcm') ? 'fcm' : 'apns',
    environment: 'production',
    appId: 'default',
    tokenKind: 'apns_voip',
    token,
    tokenHash: keyring.tokenHash(token),
    privacy: 'full',
    content: { callId: 'a@b', callUuid: newId(), callerId: '1' },
    acceptedAt: clock.now(),
    expiresAt: clock.now() + 30_000,
    ...change,
  })

  return {
    pushTo,
    /** A phone with one token, registered now; gives back a push to it. */
    async givenPhone(
      phone: {
        extension?: string
        deviceKey?: string
        token?: string
        kind?: TokenKind
        tenantId?: string
        environment?: Push['environment']
        registeredAt?: number
      } = {},
    ): Promise<PushOf<'call'>> {
      const { token = apnsToken(), kind = 'apns_voip', environment = 'production' } = phone
      const owner = phone.tenantId ?? tenantId
      const extension = phone.extension ?? `e-${newId()}`
      const { id } = await createExtensionStore(db).put(owner, extension, {})
      const { id: deviceId } = await registerAt(phone.registeredAt ?? clock.now())({
        tenantId: owner,
        extensionId: id,
        deviceKey: phone.deviceKey ?? `phone-${newId()}`,
        appId: 'default',
        tokens: [{ kind, environment, token }],
      })
      return pushTo(token, { tenantId: owner, tokenKind: kind, environment, deviceId, extension })
    },
    /** The log says that a provider took a push to the token, now. */
    async delivered(push: Push) {
      const now = new Date(clock.now())
      await db('push_logs').insert({
        ...{ id: newId(), tenant_id: push.tenantId, kind: push.kind, provider: push.provider },
        ...{ environment: push.environment, app_id: push.appId, token_hash: push.tokenHash },
        ...{ state: 'delivered', accepted_at: now, answered_at: now, closed_at: now, expires_at: now },
      })
    },
    /** Whether a call would still be pushed to the token. */
    async isLive({ extension = '', tokenHash, tenantId: owner }: Push) {
      const phones = await createPhoneStore(db).find(owner, extension)
      return phones?.tokens.some((token) => token.tokenHash === tokenHash) ?? false
    },
    /** What is held against the token, in whatever environment. */
    verdictsOn: ({ tokenHash, tenantId: owner }: Push) =>
      db('token_verdicts').where({ tenant_id: owner, token_hash: tokenHash }).orderBy('environment'),
  }
}
