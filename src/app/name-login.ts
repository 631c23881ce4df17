import type { Login } from './login.ts'
import type { LoginLimits } from './login-limits.ts'
import { toLoginName } from './login-schemas.ts'

/** A login as clients make it that know nothing of phones and sessions: a name and a password for a token of 7 days. */
export const createNameLogin =
  ({ login, loginLimits }: { login: Login; loginLimits: LoginLimits }) =>
  async (
    name: string,
    password: string,
    from: { address: string; host: string },
  ): Promise<{ token: string }> => {
    await loginLimits.request(from.address)
    const { token } = await login(toLoginName(name), password, { refresh: false, ...from })
    return { token }
  }
