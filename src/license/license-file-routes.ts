import { z } from 'zod'
import { type AuthScheme, nobody, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import { Problem } from '../lib/problem.ts'
import { SECOND } from '../lib/units.ts'
import type { RateLimit } from '../limits/rate-limits.ts'
import type { InstallationStore } from './installation-store.ts'
import type { KeyedLicense } from './license.ts'
import { refusalOf } from './license-checks.ts'
import { createLicenseFile, FILE_LIFE } from './license-file.ts'
import type { LicenseRecordsStore } from './license-records-store.ts'
import { fromStore, refuse } from './license-refusal.ts'
import { fingerprint, licenseKey } from './license-schemas.ts'
import type { LicenseSigning } from './license-signing.ts'

export interface LicenseFileRouteDeps {
  /** Callers whose licence includes `offline`. */
  offlineAuth: AuthScheme<KeyedLicense>
  licenseSigning: LicenseSigning
  licenseRecords: LicenseRecordsStore
  licenseFiles: RateLimit
  installationStore: Pick<InstallationStore, 'findMachine'>
  clock: Clock
  licenseGraceMs: number
}

/** Licences to carry away, and the key that proves them. */
export const licenseFileRoutes = (deps: LicenseFileRouteDeps): Route[] => [publicKey(deps), checkout(deps)]

const publicKey = (deps: Pick<LicenseFileRouteDeps, 'licenseSigning'>): Route =>
  route({
    method: 'get',
    path: '/v1/license/public-key',
    tag: 'Licences',
    summary: 'The public key of licence files and signed answers',
    description:
      'Ed25519, the same on every node. Fetch it once over a way you trust and keep it: a key that comes with what it proves proves nothing.',
    auth: nobody,
    replies: [
      {
        status: 200,
        description: 'A JWK set (RFC 7517), and the same key in PEM.',
        schema: z.object({
          keys: z.array(
            z.object({
              kty: z.literal('OKP'),
              crv: z.literal('Ed25519'),
              x: z.string(),
              kid: z.string().describe('The thumbprint of the key (RFC 7638).'),
              alg: z.literal('EdDSA'),
              use: z.literal('sig'),
            }),
          ),
          pem: z.string(),
        }),
      },
    ],
    problems: [],
    handler: async () => ({
      data: { keys: [deps.licenseSigning.publicJwk()], pem: deps.licenseSigning.publicKeyPem() },
    }),
  })

const TTL = `ttl must be a whole number of seconds from ${FILE_LIFE.minMs / SECOND} to ${FILE_LIFE.maxMs / SECOND}`
const Checkout = z.strictObject({
  license_key: licenseKey,
  fingerprint: fingerprint
    .optional()
    .describe(
      'The only machine that the file is for. Absent: any, if the licence is for any number of machines.',
    ),
  ttl: z
    .int(TTL)
    .min(FILE_LIFE.minMs / SECOND, TTL)
    .max(FILE_LIFE.maxMs / SECOND, TTL)
    .default(FILE_LIFE.defaultMs / SECOND)
    .describe('Seconds that the file is good; it never outlives the licence and its time of grace.'),
})

const checkout = (deps: LicenseFileRouteDeps): Route =>
  route({
    method: 'post',
    path: '/v1/license/checkout',
    tag: 'Licences',
    summary: 'A signed licence file, for a PBX without a way to us',
    description:
      'The file is a JWS (RFC 7515) signed with Ed25519, which `wakeline license verify`, openssl and any JOSE library check without us. It cannot be called back, so choose a `ttl` that is no longer than needed. Of a licence for so many installations it is made for one that is active.',
    auth: deps.offlineAuth,
    body: Checkout,
    replies: [
      {
        status: 200,
        description: 'The file.',
        schema: z.object({
          file: z.string(),
          expires_at: z.string().describe('When the file ends.'),
          kid: z.string().describe('The key that signed it, see `/v1/license/public-key`.'),
        }),
      },
    ],
    problems: [
      'license_key_required',
      'license_invalid',
      'not_entitled',
      'license_refused',
      'rate_limited',
      'store_unavailable',
    ],
    async handler({ body: { fingerprint, ttl }, caller }) {
      const { licenseSigning, licenseRecords, clock, licenseGraceMs } = deps
      await deps.licenseFiles.take(caller.id)
      const now = clock.now()
      await mustHoldSeat(deps, caller, fingerprint, now)
      const terms = { fingerprint, now, lifeMs: ttl * SECOND, graceMs: licenseGraceMs }
      const { file, expiresAt } = await createLicenseFile(licenseSigning, caller, terms)
      const expires_at = new Date(expiresAt).toISOString()
      const details = { expires_at, ...(fingerprint !== undefined && { fingerprint }) }
      await licenseRecords.events
        .insert({ id: newId(), licenseId: caller.id, at: now, action: 'exported', actor: 'pbx', details })
        .catch((cause: unknown) => {
          throw new Problem('store_unavailable', { retryAfter: 1, cause })
        })
      return { data: { file, expires_at, kid: licenseSigning.kid } }
    },
  })

/** A file works without us, so one that is for no machine in particular would be a seat for everybody. */
async function mustHoldSeat(
  { installationStore }: Pick<LicenseFileRouteDeps, 'installationStore'>,
  license: KeyedLicense,
  fingerprint: string | undefined,
  now: number,
): Promise<void> {
  if (license.maxInstallations === undefined) return
  if (fingerprint === undefined) {
    const sentence =
      'fingerprint is required: this licence is for so many installations, and a file for one of them'
    throw new Problem('license_refused', {
      ...{ code: 'INSTALLATION_NOT_FOUND', sentence, field: 'fingerprint' },
      extra: { hint: sentence },
    })
  }
  const installation = (await fromStore(installationStore.findMachine(license.id, { fingerprint }))) ?? null
  // Whether the licence itself is good has been judged, with its grace.
  const refusal = refusalOf({ license, installation, now, graceMs: Number.POSITIVE_INFINITY })
  if (refusal) throw refuse('license_refused', refusal)
}
