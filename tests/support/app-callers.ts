import { createSignAppToken } from '../../src/app/app-token.ts'
import type { Context } from '../../src/context.ts'
import { newId } from '../../src/lib/ids.ts'
import { HOUR } from '../../src/lib/units.ts'
import type { TestGateway } from './gateway.ts'

export type AppUser = Awaited<ReturnType<typeof givenAppUser>>

/** Somebody who is logged in with the app; without a password, which would have to be hashed. */
export async function givenAppUser(
  { context, request }: Pick<TestGateway, 'request'> & { context: Context },
  {
    tenantId,
    extension,
    name,
    deviceKey,
  }: { tenantId: string; extension: string; name?: string; deviceKey?: string },
) {
  const { id } = await context.extensions.put(tenantId, extension, { name })
  const sessionId = newId()
  const now = new Date()
  await context.db('app_sessions').insert({
    ...{ id: sessionId, tenant_id: tenantId, extension_id: id, device_key: deviceKey ?? null },
    ...{ created_at: now, last_seen_at: now, expires_at: new Date(now.getTime() + HOUR) },
  })
  const sign = createSignAppToken({ secret: context.appTokenSecrets[0], clock: context.clock })
  const { token } = await sign({ extensionId: id, extension, sessionId }, HOUR)
  const authorization = `Bearer ${token}`
  const ask = (method: string, path: string, body?: unknown) =>
    request(method, path, { headers: { authorization }, ...(body !== undefined && { body }) })
  return {
    extensionId: id,
    extension,
    tenantId,
    sessionId,
    authorization,
    ask,
    get: (path: string) => ask('GET', path),
    post: (path: string, body: unknown) => ask('POST', path, body),
  }
}
