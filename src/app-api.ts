import type { Knex } from 'knex'
import { createAppAuth } from './app/app-auth.ts'
import { createSignAppToken } from './app/app-token.ts'
import { createLiveSessionStore } from './app/live-session-store.ts'
import { createLogin } from './app/login.ts'
import { createLoginCounts } from './app/login-counts.ts'
import { createLoginDoor } from './app/login-door.ts'
import { createLoginLimits } from './app/login-limits.ts'
import { createLoginRefusals } from './app/login-refusals.ts'
import { createLoginStore } from './app/login-store.ts'
import { createNameLogin } from './app/name-login.ts'
import { createProfileStore } from './app/profile-store.ts'
import { createMakeLink, createProvision } from './app/provisioning.ts'
import { createProvisioningStore } from './app/provisioning-store.ts'
import { createRefreshSession } from './app/session-refresh.ts'
import { createStartSession } from './app/session-start.ts'
import { createSessionStore } from './app/session-store.ts'
import { createRefreshTokens } from './app/session-tokens.ts'
import type { Config } from './config/config.ts'
import { createTenantSettingsStore } from './devices/tenant-settings-store.ts'
import type { Clock } from './lib/clock.ts'
import type { Keyring } from './lib/keyring.ts'
import type { Passwords } from './lib/passwords.ts'
import type { Counters } from './limits/counters.ts'
import type { Events } from './observability/events.ts'
import type { Logger } from './observability/logger.ts'

interface AppApiDeps {
  db: Knex
  config: Config
  keyring: Keyring
  clock: Clock
  events: Events
  logger: Logger
  counters: Counters
  passwords: Passwords
  /** The one that signs first. */
  appTokenSecrets: readonly [Uint8Array, ...Uint8Array[]]
}

/** Wires what the mobile app lives on. */
export function createAppApi(core: AppApiDeps) {
  const { db, clock, keyring, counters, appTokenSecrets } = core
  const stores = {
    appSessions: createSessionStore(db),
    liveSessions: createLiveSessionStore(db),
    profiles: createProfileStore(db),
    tenantSettings: createTenantSettingsStore(db),
    logins: createLoginStore(db),
    provisioningLinks: createProvisioningStore(db),
  }
  const signAppToken = createSignAppToken({ secret: appTokenSecrets[0], clock })
  const shared = { ...core, ...stores, signAppToken, refreshTokens: createRefreshTokens(keyring) }
  const startSession = createStartSession(shared)
  const loginLimits = createLoginLimits({
    loginCounts: createLoginCounts(counters, clock),
    loginRefusals: createLoginRefusals(clock, keyring),
    keyring,
    guardsAddresses: core.config.rateLimits,
  })
  const login = createLogin({ ...shared, startSession, loginLimits })
  const loginDoor = createLoginDoor()
  return {
    ...stores,
    loginDoor,
    loginLimits,
    signAppToken,
    appAuth: createAppAuth(shared),
    login,
    nameLogin: createNameLogin({ login, loginDoor }),
    refreshSession: createRefreshSession(shared),
    makeLink: createMakeLink({ ...shared, startSession }),
    provision: createProvision({ ...shared, startSession }),
  }
}
