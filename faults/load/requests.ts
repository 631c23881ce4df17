import { SECOND } from '../../src/lib/units.ts'
import type { Item } from '../history/history.ts'
import { HOLD_MS } from '../history/services.ts'
import type { Phone } from './items.ts'

export interface Keys {
  licenseKey: string
  pbxKey: string
}
export interface LoadRequest {
  path: string
  headers: Record<string, string>
  body: Record<string, unknown>
}

/** Seconds that a call is worth a push, unless it is held; a worker that died is found out within 8. */
export const CALL_TTL = 25

/** How an item is asked for: by the gateway's customers, or by a PBX that holds the call. */
export function requestOf(item: Item, keys: Keys, phones: readonly Phone[]): LoadRequest {
  if (item.mode === 'held') {
    const extension = phones.find(({ token }) => token === item.token)?.extension ?? ''
    return {
      path: '/api/v1/pbx/calls',
      headers: { authorization: `Bearer ${keys.pbxKey}`, prefer: `wait=${HOLD_MS / SECOND}` },
      body: { call_id: item.subject, extension, caller_id: '0301234567' },
    }
  }
  const target = {
    license_key: keys.licenseKey,
    push_token: item.token,
    push_platform: item.provider,
  }
  if (item.lane === 'messages') {
    return {
      path: '/v1/push',
      headers: { 'idempotency-key': item.subject },
      body: {
        ...target,
        kind: 'message',
        message_id: item.subject,
        sender_name: 'Ada Lovelace',
        text: 'Do you hear me?',
        ...(item.ttl !== undefined && { ttl: item.ttl }),
      },
    }
  }
  return {
    path: '/v1/push',
    headers: item.mode === 'async' ? { prefer: 'respond-async' } : {},
    body: { ...target, call_id: item.subject, caller_id: '0301234567', ttl: item.ttl ?? CALL_TTL },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers are read as the contract describes them
export function pushIdIn(json: any): string | undefined {
  const id: unknown = json?.data?.push_id ?? json?.data?.pushes?.[0]?.push_id ?? json?.push_id
  return typeof id === 'string' ? id : undefined
}
