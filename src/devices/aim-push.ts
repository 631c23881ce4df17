import type { Keyring } from '../lib/keyring.ts'
import type { ApnsEnvironment, TokenKind } from '../push/push.ts'
import { tokenContext } from './register-device.ts'

/** A live token of a device, still sealed. */
export interface SealedAim<Kind extends TokenKind> {
  deviceId: string
  appId: string
  kind: Kind
  environment: ApnsEnvironment
  tokenHash: string
  tokenSealed: string
}

export const providerOf = (kind: TokenKind) =>
  kind.startsWith('apns') ? ('apns' as const) : ('fcm' as const)

/** Which phone a push goes to, and by which provider. */
export const aimPush = <Kind extends TokenKind>(keyring: Keyring, token: SealedAim<Kind>) => ({
  provider: providerOf(token.kind),
  environment: token.environment,
  appId: token.appId,
  tokenKind: token.kind,
  token: keyring.open(token.tokenSealed, tokenContext(token.tokenHash)),
  tokenHash: token.tokenHash,
  deviceId: token.deviceId,
})
