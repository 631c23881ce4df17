import { newId } from '../../src/lib/ids.ts'
import { createTenant, type NewTenant } from '../../src/license/create-tenant.ts'
import { type Answer, apnsToken, callId, fcmToken, type TestGateway } from './gateway.ts'

type Terms = Omit<NewTenant, 'name' | 'tier'> & { tier?: NewTenant['tier'] }

/** A customer of his own, and what his PBX asks for; `node` is where it asks. */
export async function givenLicensed(gateway: TestGateway, terms: Terms = {}) {
  const tenant = await createTenant(gateway.context, { name: 'licensed', tier: 'free', ...terms })
  const key = { license_key: tenant.licenseKey }
  const at = (node: number) => gateway.nodes[node]?.url ?? gateway.url
  const send = (body: Record<string, unknown>, node: number, headers: Record<string, string> = {}) =>
    gateway.request('POST', '/v1/push', { body: { ...key, ...body }, base: at(node), headers })
  const async = { prefer: 'respond-async' }
  return {
    ...tenant,
    /** Answered when it has ended. */
    ring: (change: Record<string, unknown> = {}, node = 0): Promise<Answer> =>
      send({ push_token: apnsToken(), push_platform: 'apns', call_id: callId(), ...change }, node),
    /** Answered when it is accepted. */
    call: (change: Record<string, unknown> = {}, node = 0): Promise<Answer> =>
      send({ push_token: apnsToken(), push_platform: 'apns', call_id: callId(), ...change }, node, async),
    message: (change: Record<string, unknown> = {}, node = 0): Promise<Answer> =>
      send(
        {
          ...{ kind: 'message', push_token: fcmToken(), push_platform: 'fcm' },
          ...{ message_id: newId(), text: 'Hello', ...change },
        },
        node,
      ),
    batch: (pushes: unknown[]): Promise<Answer> =>
      gateway.request('POST', '/v1/push/batch', { body: { ...key, pushes } }),
    /** Any other route, with the key in the header. */
    owner: (method: string, path: string, body?: unknown): Promise<Answer> =>
      gateway.request(method, path, {
        headers: { 'x-license-key': tenant.licenseKey },
        ...(body !== undefined && { body }),
      }),
    pbx: (method: string, path: string, body?: unknown): Promise<Answer> =>
      gateway.request(method, `/api/v1/pbx${path}`, {
        headers: { authorization: `Bearer ${tenant.pbxKey}` },
        ...(body !== undefined && { body }),
      }),
    /** How many of the push log are his. */
    rows: async (): Promise<number> =>
      (await gateway.context.db('push_logs').where({ tenant_id: tenant.tenantId }).select('id')).length,
  }
}

/** Does it so often at the same time. */
export const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)))

/** How often each status was answered. */
export const statuses = (answers: readonly Answer[]): Record<number, number> =>
  Object.fromEntries(
    [...Map.groupBy(answers, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  )
