import type { IncomingHttpHeaders } from 'node:http'
import { requestHost } from '../http/request-host.ts'
import { nobody, type Route, route } from '../http/route.ts'
import type { Login } from './login.ts'
import type { LoginDoor } from './login-door.ts'
import type { LoginLimits } from './login-limits.ts'
import {
  AuthResult,
  describeRefreshed,
  describeStarted,
  LoginBody,
  ProvisionBody,
  RefreshBody,
  RefreshResult,
} from './login-schemas.ts'
import type { Provision } from './provisioning.ts'
import type { RefreshSession } from './session-refresh.ts'

export interface AppLoginRouteDeps {
  login: Login
  loginDoor: LoginDoor
  loginLimits: LoginLimits
  refreshSession: RefreshSession
  provision: Provision
}

const tag = 'App'
const problems = ['rate_limited', 'store_unavailable'] as const

/** How the app gets its tokens. */
export const appLoginRoutes = (deps: AppLoginRouteDeps): Route[] => [
  loginRoute(deps),
  refreshRoute(deps),
  provisionRoute(deps),
]

const loginRoute = (deps: AppLoginRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/app/auth',
    tag,
    summary: 'Log in with extension and SIP password',
    description:
      'The token is good for 7 days. With `refresh` or `device_id` it is good for 15 minutes, and a refresh token for 30 days comes with it. Which tenant is meant says the domain in `1001@pbx.example.com`, else the name under which the app asks. After 5 failures an extension waits, from one minute to fifteen.',
    auth: nobody,
    body: LoginBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'Logged in.', schema: AuthResult }],
    problems: ['invalid_credentials', 'login_locked', ...problems],
    async handler({ body, address, headers, signal }) {
      const wish = wishOf(body, { address, headers })
      const work = () => deps.login(body.extension, body.sip_password, wish)
      return { data: describeStarted(await deps.loginDoor.pass(signal, work)) }
    },
  })

const refreshRoute = ({ refreshSession }: AppLoginRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/app/auth/refresh',
    tag,
    summary: 'Have new tokens for a refresh token',
    description:
      'A refresh token is good once. Brought again within 10 seconds it gets the same successor, in case the answer was lost; later, its session ends, because two have it.',
    auth: nobody,
    body: RefreshBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'New tokens.', schema: RefreshResult }],
    problems: ['invalid_token', ...problems],
    handler: async ({ body }) => ({ data: describeRefreshed(await refreshSession(body.refresh_token)) }),
  })

const provisionRoute = ({ provision, loginDoor, loginLimits }: AppLoginRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/app/provision',
    tag,
    summary: 'Log in with the token of a provisioning link',
    description: 'Once. The answer is that of a login.',
    auth: nobody,
    body: ProvisionBody,
    bodyTexts: 'app',
    replies: [{ status: 200, description: 'Logged in.', schema: AuthResult }],
    problems: ['provisioning_link_spent', ...problems],
    async handler({ body, address, headers, signal }) {
      const started = await loginDoor.pass(signal, async () => {
        await loginLimits.request(address)
        return provision(body.token, wishOf(body, { address, headers }))
      })
      return { data: describeStarted(started) }
    },
  })

const wishOf = (
  body: { refresh?: boolean | undefined; device_id?: string | undefined; name?: string | undefined },
  { address, headers }: { address: string; headers: IncomingHttpHeaders },
) => ({
  deviceKey: body.device_id,
  name: body.name,
  refresh: body.refresh ?? body.device_id !== undefined,
  address,
  host: requestHost(headers),
})
