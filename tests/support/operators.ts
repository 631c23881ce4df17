import type { Context } from '../../src/context.ts'
import type { Role } from '../../src/http/operator-roles.ts'
import { ensureOperator } from '../../src/operator/ensure-operator.ts'

export const PASSWORD = 'correct horse battery staple'

/** An operator of this role, logged in; returns the header that says so. */
export async function givenOperator(
  { context, url }: { context: Context; url: string },
  role: Role,
): Promise<{ name: string; cookie: string }> {
  const name = `${role}-ada`
  await ensureOperator(context, { name, password: PASSWORD, role })
  const response = await logIn(url, { name, password: PASSWORD })
  const cookie = sessionCookie(response)
  if (!cookie) throw new Error(`the login of ${name} was answered with ${response.status}`)
  return { name, cookie }
}

export const logIn = (
  url: string,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${url}/operator/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    redirect: 'manual',
  })

/** `name=value` of the cookie that was set, if one was. */
export const sessionCookie = (response: Response): string | undefined =>
  response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .find((pair) => pair?.startsWith('wakeline_session=') && pair !== 'wakeline_session=')
