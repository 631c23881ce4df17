import { z } from 'zod'
import { NONCE_PATTERN } from './answer-signature.ts'
import { InstallationAnswer } from './installation-answer.ts'
import { MAX_KEY_LENGTH } from './license-request.ts'
import { ENTITLEMENTS } from './tiers.ts'

/** Letters that show: no spaces, no control characters, no halves of a surrogate pair. */
const VISIBLE = /^[^\p{C}\p{Z}]*$/u

/** What is null is missing, as Go has it. */
const text = (missing: string) =>
  z.string({ error: ({ input }) => ((input ?? undefined) === undefined ? missing : 'invalid request body') })

export const licenseKey = text('invalid request body')
  .max(MAX_KEY_LENGTH, `license_key must have at most ${MAX_KEY_LENGTH} characters`)
  .nullish()
  .describe('The licence key; the header X-License-Key does as well.')

const HOSTNAME = 'hostname must have 1 to 255 visible characters'
export const hostname = text('hostname is required')
  .trim()
  .min(1, 'hostname is required')
  .max(255, HOSTNAME)
  .regex(VISIBLE, HOSTNAME)
  .describe('Small and capital letters are the same.')

const FINGERPRINT = 'fingerprint must have 8 to 256 of A-Z, a-z, 0-9, ".", "_", ":" and "-"'
export const fingerprint = text('fingerprint is required')
  .regex(/^[A-Za-z0-9._:-]{8,256}$/, FINGERPRINT)
  .describe('What stays the same when the machine gets another name, such as a hash of its machine id.')

const VERSION = 'version must have at most 64 visible characters'
export const version = text('version is required')
  .max(64, VERSION)
  .regex(/^[^\p{C}]*$/u, VERSION)
  .describe('Of the PBX.')

export const instanceId = text('instance_id is required')
  .min(1, 'instance_id is required')
  .pipe(z.guid('instance_id must be a UUID'))
  .transform((id) => id.toLowerCase())
  .describe('Of the activation.')

const nonce = text('nonce is required')
  .regex(NONCE_PATTERN, 'nonce must have 8 to 128 of A-Z, a-z, 0-9, "_" and "-"')
  .optional()
  .describe('Letters of your own: the answer is signed, together with them.')

const EXTENSIONS = 'extensions must be a whole number from 0 to 1000000'
const NEEDS = `entitlements must be a list of ${ENTITLEMENTS.join(', ')}`

export const ValidateRequest = z
  .strictObject({
    license_key: licenseKey,
    instance_id: instanceId.optional().describe('Is this installation active?'),
    fingerprint: fingerprint.optional().describe('Is the installation of this machine active?'),
    hostname: hostname.optional().describe('The same, where there is no fingerprint.'),
    extensions: z
      .int({ error: EXTENSIONS })
      .min(0, EXTENSIONS)
      .max(1_000_000, EXTENSIONS)
      .optional()
      .describe('Is the licence good for so many?'),
    entitlements: z
      .array(z.enum(ENTITLEMENTS, { error: NEEDS }), { error: NEEDS })
      .max(ENTITLEMENTS.length, NEEDS)
      .optional()
      .describe('Does the licence include these?'),
    nonce,
  })
  .meta({ id: 'LicenseValidation' })
export type ValidateRequest = z.output<typeof ValidateRequest>

export const ActivateRequest = z
  .strictObject({
    license_key: licenseKey,
    hostname,
    version: version
      .nullish()
      .transform((text) => text ?? '')
      .describe('Of the PBX.'),
    fingerprint: fingerprint.optional(),
    nonce,
  })
  .meta({ id: 'LicenseActivation' })

export const StatusQuery = z.object({
  license_key: licenseKey.describe('The licence key, if the header X-License-Key has none.'),
  nonce,
})

export const HeartbeatRequest = z
  .strictObject({ license_key: licenseKey, instance_id: instanceId, version: version.optional() })
  .meta({ id: 'InstallationHeartbeat' })

export const DeactivateRequest = z
  .strictObject({
    license_key: licenseKey,
    instance_id: instanceId,
    force: z
      .boolean({ error: 'force must be true or false' })
      .default(false)
      .describe('It is the seat of another machine than the one that asks.'),
  })
  .meta({ id: 'InstallationDeactivation' })

export const TransferRequest = z
  .strictObject({
    license_key: licenseKey,
    instance_id: instanceId.describe('Whose seat it is until now.'),
    hostname: hostname.describe('Of the new machine.'),
    fingerprint: fingerprint.optional().describe('Of the new machine.'),
    version: version.default('').describe('Of the PBX on the new machine.'),
  })
  .meta({ id: 'InstallationTransfer' })

const terms = {
  tier: z.string(),
  max_extensions: z.int(),
  expires_at: z.string().optional().describe('Absent: never.'),
  max_installations: z.int().optional().describe('Absent: any number.'),
  entitlements: z.array(z.enum(ENTITLEMENTS)),
}

export const ValidAnswer = z
  .object({
    valid: z.literal(true),
    ...terms,
    instance_id: z.guid().optional().describe('Of the installation that was asked about.'),
  })
  .meta({ id: 'ValidLicense' })

export const ActivatedAnswer = z
  .object({
    instance_id: z.guid(),
    activated_at: z.string(),
    ...terms,
  })
  .meta({ id: 'ActivatedInstallation' })

export const StatusAnswer = z
  .object({
    key: z.string().describe('As it was sent.'),
    ...terms,
    active: z.boolean(),
    code: z.string().optional().describe('Why it is not active.'),
    hint: z.string().optional(),
    grace_until: z.string().optional().describe('Pushes go on until then.'),
    installation_count: z.int(),
    installations: z.array(InstallationAnswer).describe('Not all, if there are many.'),
  })
  .meta({ id: 'LicenseStatus' })
