import type { AuthScheme } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import { LANE_OF, type PushKind } from '../push/push-kinds.ts'
import type { LicensedSender } from './admit-push.ts'

export interface PushAuthDeps {
  licenseAuth: AuthScheme<LicensedSender>
  appIds: readonly string[]
}

/**
 * The callers of `POST /v1/push`, refused as FlowPBX's gateway refuses them: one without the credentials of any app says so before it
 * looks at the key. For a call, a licence that cannot be looked up is the internal error of the contract, because a 503 would say the
 * former; for messages it stays a 503, upon which they are brought again.
 */
export const createPushAuth = ({ licenseAuth, appIds }: PushAuthDeps): AuthScheme<LicensedSender> => ({
  ...licenseAuth,
  require(request) {
    if (appIds.length === 0) throw new Problem('push_not_configured')
    licenseAuth.require?.(request)
  },
  verify: (request) =>
    licenseAuth.verify(request).catch((cause: unknown) => {
      const { kind } = request.body as { kind: PushKind }
      const isAway = cause instanceof Problem && cause.code === 'store_unavailable'
      if (!isAway || LANE_OF[kind] !== 'calls') throw cause
      throw new Problem('license_store_away', { code: 'store_unavailable', retryAfter: 1, cause })
    }),
})
