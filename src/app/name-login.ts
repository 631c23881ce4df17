import type { Login } from './login.ts'
import type { LoginDoor } from './login-door.ts'
import { toLoginName } from './login-schemas.ts'

/** A login as clients make it that know nothing of phones and sessions: a name and a password for a token of 7 days. */
export const createNameLogin =
  ({ login, loginDoor }: { login: Login; loginDoor: LoginDoor }) =>
  async (
    name: string,
    password: string,
    { signal, ...from }: { address: string; host: string; signal: AbortSignal },
  ): Promise<{ token: string }> => {
    const wish = { refresh: false, ...from }
    const { token } = await loginDoor.pass(signal, () => login(toLoginName(name), password, wish))
    return { token }
  }
