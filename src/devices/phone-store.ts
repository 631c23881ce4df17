import type { Knex } from 'knex'
import { createBatcher } from '../lib/batcher.ts'
import type { ApnsEnvironment, TokenKind } from '../push/push.ts'

/** The tokens that a call can go to; a device that has several gets it at the first of these. */
export const CALL_KINDS = ['apns_voip', 'fcm_fid', 'fcm'] as const satisfies readonly TokenKind[]

/** A live token that wakes a phone for a call, still sealed. */
export interface CallToken {
  deviceId: string
  deviceKey: string
  appId: string
  kind: (typeof CALL_KINDS)[number]
  environment: ApnsEnvironment
  tokenHash: string
  tokenSealed: string
}

/** What a call needs to know of its extension. */
export interface Phones {
  dnd: boolean
  /** One per device; dead tokens are left out. */
  tokens: readonly CallToken[]
}

/** Calls of one moment are asked for in one query: a thousand at once must not queue for the pool. */
const BATCH = 500

export function createPhoneStore(db: Knex) {
  const asked = createBatcher((all: Asked[]) => findAll(db, all), { size: BATCH, parallel: 2 })
  return {
    /** Undefined: the tenant has no such extension. */
    find: (tenantId: string, number: string): Promise<Phones | undefined> => asked.add({ tenantId, number }),
  }
}
export type PhoneStore = ReturnType<typeof createPhoneStore>

interface Asked {
  tenantId: string
  number: string
}
interface Row {
  tenant_id: string
  number: string
  dnd: boolean
  device_id: string
  device_key: string
  app_id: string
  kind: CallToken['kind'] | null
  environment: ApnsEnvironment
  token_hash: string
  token_sealed: string
}

const keyOf = (tenantId: string, number: string) => `${tenantId} ${number}`

async function findAll(db: Knex, asked: Asked[]): Promise<(Phones | undefined)[]> {
  const wanted = [...new Map(asked.map((one) => [keyOf(one.tenantId, one.number), one])).values()]
  const { rows } = await db.raw<{ rows: Row[] }>(
    `SELECT DISTINCT ON (d.id, e.id) e.tenant_id, e.number, e.dnd, d.id AS device_id, d.device_key, d.app_id,
       t.kind, t.environment, t.token_hash, t.token_sealed
     FROM unnest(?::uuid[], ?::text[]) AS asked (tenant_id, number)
     JOIN extensions e ON e.tenant_id = asked.tenant_id AND e.number = asked.number
     LEFT JOIN devices d ON d.extension_id = e.id
     LEFT JOIN device_tokens t
       ON t.device_id = d.id AND t.kind = ANY (?::text[]) AND t.invalidated_at IS NULL
     ORDER BY d.id, e.id, array_position(?::text[], t.kind)`,
    [
      wanted.map(({ tenantId }) => tenantId),
      wanted.map(({ number }) => number),
      [...CALL_KINDS],
      [...CALL_KINDS],
    ],
  )
  const found = new Map<string, { dnd: boolean; tokens: CallToken[] }>()
  for (const row of rows) {
    const key = keyOf(row.tenant_id, row.number)
    const phones = found.get(key) ?? { dnd: row.dnd, tokens: [] }
    found.set(key, phones)
    if (row.kind !== null) phones.tokens.push(toToken(row, row.kind))
  }
  return asked.map(({ tenantId, number }) => found.get(keyOf(tenantId, number)))
}

const toToken = (row: Row, kind: CallToken['kind']): CallToken => ({
  deviceId: row.device_id,
  deviceKey: row.device_key,
  appId: row.app_id,
  kind,
  environment: row.environment,
  tokenHash: row.token_hash,
  tokenSealed: row.token_sealed,
})
