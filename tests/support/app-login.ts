import { createHmac } from 'node:crypto'
import type { Answer, TestGateway } from './gateway.ts'

export const SIP_PASSWORD = 'correct-horse-battery-staple'

/** An extension that can log in. Its hash is made here, because making it is none of what is tested. */
export async function givenExtension(
  { context, tenant }: Pick<TestGateway, 'context' | 'tenant'>,
  number: string,
  { tenantId = tenant.tenantId, password = SIP_PASSWORD, name = 'Ada' } = {},
): Promise<number> {
  const { id } = await context.extensions.put(tenantId, number, { name })
  await context
    .db('extensions')
    .where({ id })
    .update({ password_hash: await context.passwords.hash(password) })
  return id
}

export const logIn = (
  { request }: Pick<TestGateway, 'request'>,
  extension: string,
  {
    password = SIP_PASSWORD,
    headers,
    base,
    ...body
  }: {
    password?: string
    headers?: Record<string, string>
    base?: string
    refresh?: boolean
    device_id?: string
    name?: string
  } = {},
): Promise<Answer> =>
  request('POST', '/api/v1/app/auth', {
    body: { extension, sip_password: password, ...body },
    ...(headers && { headers }),
    ...(base !== undefined && { base }),
  })

/** The app of a login: asks with its token. */
export const appOf =
  ({ request }: Pick<TestGateway, 'request'>, token: string) =>
  (method: string, path: string, body?: unknown): Promise<Answer> =>
    request(method, `/api/v1/app${path}`, {
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    })

const encode = (part: unknown): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** A JWT by RFC 7515, made without any library of the product. Parts that are text stand as they are. */
export function signJwt(
  secretHex: string,
  payload: unknown,
  { header = { alg: 'HS256', typ: 'JWT' } as unknown, hash = 'sha256' } = {},
): string {
  const signed = `${encode(header)}.${encode(payload)}`
  const key = Buffer.from(secretHex, 'hex')
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`
}

/** What a JWT says, if the secret has signed it: as a server in Go would check it. */
export function verifyJwt(secretHex: string, token: string) {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const key = Buffer.from(secretHex, 'hex')
  const expected = createHmac('sha256', key).update(`${header}.${payload}`).digest('base64url')
  if (expected !== signature) throw new Error('the signature is wrong')
  const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: decode(header), claims: decode(payload) }
}
