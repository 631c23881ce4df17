import type { Passwords } from '../lib/passwords.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { Events } from '../observability/events.ts'
import type { LoginLimits } from './login-limits.ts'
import type { LoginCandidate, LoginName, LoginStore } from './login-store.ts'
import type { SessionWish, StartedSession, StartSession } from './session-start.ts'

export interface LoginDeps {
  logins: LoginStore
  loginLimits: LoginLimits
  passwords: Passwords
  startSession: StartSession
  events: Pick<Events, 'appLogin'>
}

/**
 * Extension and SIP password for a session. Whatever is wrong is answered alike and takes as long: an extension that is not there,
 * one that several tenants have, one without a password.
 */
export function createLogin({ logins, loginLimits, passwords, startSession, events }: LoginDeps) {
  const checkAndStart = async (
    candidate: LoginCandidate | undefined,
    password: string,
    wish: SessionWish,
  ) => {
    const isRight = await passwords.matches(password, candidate?.passwordHash ?? undefined)
    if (!isRight || !candidate || !hasPassword(candidate)) return undefined
    return startSession({ candidate, password }, wish)
  }

  return async (
    { number, domain }: Omit<LoginName, 'host'>,
    password: string,
    wish: SessionWish,
  ): Promise<StartedSession> => {
    const { host, address } = wish
    const asked = { number, domain, host, address }
    const locked = (who: Record<string, unknown>) => (refused: unknown) => {
      if (refused instanceof Problem && refused.code === 'login_locked') events.appLogin('locked', who)
      throw refused
    }
    await loginLimits.enter(asked).catch(locked({ address }))
    const { namedTenant, candidates } = await orStoreAway(logins.find(asked))
    const [candidate] = candidates.length === 1 ? candidates : []
    if (candidates.length > 1)
      events.appLogin('ambiguous', { tenants: candidates.map(({ tenantId }) => tenantId) })
    const who = { address, ...idsOf(candidate) }
    const target = { tenantId: candidate?.tenantId ?? namedTenant, number, namedTenant }
    const tried = await loginLimits.take(target, asked).catch(locked(who))
    const started = await checkAndStart(candidate, password, wish).catch(async (error: unknown) => {
      await tried.unseen()
      throw error
    })
    if (!started) {
      events.appLogin('refused', who)
      throw new Problem('invalid_credentials')
    }
    await tried.right()
    events.appLogin('accepted', who)
    return started
  }
}
export type Login = ReturnType<typeof createLogin>

const hasPassword = (candidate: LoginCandidate): candidate is LoginCandidate & { passwordHash: string } =>
  candidate.passwordHash !== null

/** What was typed stays out of the log: it may be a password in the wrong field. */
const idsOf = (candidate: LoginCandidate | undefined) =>
  candidate && { tenant_id: candidate.tenantId, extension_id: candidate.extensionId }
