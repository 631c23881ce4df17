import type { SipSettings, TenantSettingsStore } from '../devices/tenant-settings-store.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { orStoreAway } from '../lib/store-away.ts'
import { DAY, MINUTE } from '../lib/units.ts'
import type { SignAppToken } from './app-token.ts'
import type { LoginCandidate } from './login-store.ts'
import type { Profile, ProfileStore } from './profile-store.ts'
import type { SessionStore } from './session-store.ts'
import type { RefreshTokens } from './session-tokens.ts'

/** FlowPBX's. */
export const LOGIN_MS = 7 * DAY
/** With a refresh token, a token is worth stealing for no longer than this. */
export const ACCESS_MS = 15 * MINUTE
/** Of a phone that does not come back. */
export const REFRESH_MS = 30 * DAY
/** The number of the refresh token of a login. */
const FIRST_GENERATION = 1

export interface SessionStartDeps {
  appSessions: SessionStore
  profiles: ProfileStore
  tenantSettings: TenantSettingsStore
  signAppToken: SignAppToken
  refreshTokens: RefreshTokens
  clock: Clock
}

/** What a login asks for, and where it comes from. */
export interface SessionWish {
  deviceKey?: string | undefined
  name?: string | undefined
  refresh: boolean
  address: string
  /** Under which the app asked. */
  host: string
}

/** Whose session, and by what right. */
export interface SessionProof {
  candidate: LoginCandidate & { passwordHash: string }
  /** In clear: the app gets it back, to register with it over SIP. */
  password: string
  /** The link that is spent for it. */
  linkHash?: string
}

export interface StartedSession {
  token: string
  expiresAt: Date
  refresh?: { token: string; expiresAt: Date }
  profile: Profile
  sip: SipSettings & { username: string; password: string }
}

/** Opens a session for who has shown the password. Undefined when that is no longer the password, or the link is spent. */
export const createStartSession =
  (deps: SessionStartDeps) =>
  async (proof: SessionProof, wish: SessionWish): Promise<StartedSession | undefined> => {
    const { tenantId, extensionId, number, passwordHash } = proof.candidate
    const [profile, settings] = await orStoreAway(
      Promise.all([deps.profiles.find(tenantId, extensionId), deps.tenantSettings.find(tenantId)]),
    )
    if (!profile || !settings) return undefined
    const id = newId()
    const createdAt = new Date(deps.clock.now())
    const refreshExpiresAt = new Date(createdAt.getTime() + REFRESH_MS)
    const { token, expiresAt } = await deps.signAppToken(
      { extensionId, extension: number, sessionId: id },
      wish.refresh ? ACCESS_MS : LOGIN_MS,
    )
    const session = {
      ...{ id, tenantId, extensionId, createdAt },
      deviceKey: wish.deviceKey,
      name: wish.name ?? '',
      address: wish.address,
      expiresAt: wish.refresh ? refreshExpiresAt : expiresAt,
      generation: wish.refresh ? FIRST_GENERATION : undefined,
    }
    const { linkHash } = proof
    const isOpen = await orStoreAway(
      deps.appSessions.open(session, { passwordHash, ...(linkHash !== undefined && { linkHash }) }),
    )
    if (!isOpen) return undefined
    const ticket = { sessionId: id, generation: FIRST_GENERATION }
    return {
      ...{ token, expiresAt, profile },
      ...(wish.refresh && {
        refresh: { token: deps.refreshTokens.make(ticket), expiresAt: refreshExpiresAt },
      }),
      sip: {
        ...settings.sip,
        domain: settings.sip.domain || wish.host,
        username: number,
        password: proof.password,
      },
    }
  }
export type StartSession = ReturnType<typeof createStartSession>
