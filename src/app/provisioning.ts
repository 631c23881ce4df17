import { randomBytes } from 'node:crypto'
import { toString as toQrCode } from 'qrcode'
import type { Clock } from '../lib/clock.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Passwords } from '../lib/passwords.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { LoginStore } from './login-store.ts'
import { linkContext, type ProvisioningStore } from './provisioning-store.ts'
import type { SessionWish, StartedSession, StartSession } from './session-start.ts'

export interface ProvisioningDeps {
  logins: LoginStore
  provisioningLinks: ProvisioningStore
  passwords: Passwords
  startSession: StartSession
  keyring: Keyring
  clock: Clock
}

export interface LinkOrder {
  tenantId: string
  extension: string
  password: string
  lifeMs: number
  /** Origin of the server that the app shall ask. */
  server: string
}

/** Makes a link that logs a phone in once. The password is kept, sealed, until it is used or has expired. */
export const createMakeLink =
  ({ logins, provisioningLinks, passwords, keyring, clock }: ProvisioningDeps) =>
  async (order: LinkOrder): Promise<{ url: string; qr: string; expiresAt: Date }> => {
    const found = await orStoreAway(logins.findIn(order.tenantId, order.extension))
    if (!found) throw new Problem('unknown_extension')
    if (!(await passwords.matches(order.password, found.passwordHash ?? undefined))) {
      throw new Problem('invalid_request', {
        sentence: 'sip_password is not the password of the extension',
        code: 'wrong_sip_password',
        field: 'sip_password',
      })
    }
    const token = randomBytes(32).toString('base64url')
    const tokenHash = keyring.provisioningHash(token)
    const createdAt = new Date(clock.now())
    const expiresAt = new Date(createdAt.getTime() + order.lifeMs)
    await orStoreAway(
      provisioningLinks.insert({
        ...{ tokenHash, createdAt, expiresAt },
        tenantId: found.tenantId,
        extensionId: found.extensionId,
        passwordSealed: keyring.seal(order.password, linkContext(tokenHash)),
      }),
    )
    const url = `wakeline://provision?${new URLSearchParams({ server: order.server, token })}`
    return { url, qr: await toQrCode(url, { type: 'svg', errorCorrectionLevel: 'M' }), expiresAt }
  }
export type MakeLink = ReturnType<typeof createMakeLink>

/** A session for the token of a link. What is spent, expired or was never there is answered alike. */
export const createProvision =
  ({ provisioningLinks, passwords, startSession, keyring, clock }: ProvisioningDeps) =>
  async (token: string, wish: SessionWish): Promise<StartedSession> => {
    const linkHash = keyring.provisioningHash(token)
    const link = await orStoreAway(provisioningLinks.findUsable(linkHash, new Date(clock.now())))
    if (!link) throw new Problem('provisioning_link_spent')
    const { tenantId, extensionId, number, passwordHash, passwordSealed } = link
    const password = keyring.open(passwordSealed, linkContext(linkHash))
    // The password may have changed since.
    if (passwordHash === null || !(await passwords.matches(password, passwordHash))) {
      throw new Problem('provisioning_link_spent')
    }
    const candidate = { tenantId, extensionId, number, passwordHash }
    const started = await startSession({ candidate, password, linkHash }, wish)
    if (!started) throw new Problem('provisioning_link_spent')
    return started
  }
export type Provision = ReturnType<typeof createProvision>
