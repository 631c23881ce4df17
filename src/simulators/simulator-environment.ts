import { join, resolve } from 'node:path'
import { replaceFile } from './credentials.ts'
import type { Simulators } from './simulators.ts'

/** The environment variables that point a Wakeline in another process at these simulators. */
export function environmentFor({ credentials: { apns }, fcm, files }: Simulators): Record<string, string> {
  return {
    APNS_KEY_FILE: resolve(files.apnsKey),
    APNS_KEY_ID: apns.keyId,
    APNS_TEAM_ID: apns.teamId,
    APNS_BUNDLE_ID: apns.bundleId,
    APNS_ENDPOINT: apns.endpoints.production,
    APNS_SANDBOX_ENDPOINT: apns.endpoints.sandbox,
    FCM_CREDENTIALS_FILE: resolve(files.serviceAccount),
    FCM_ENDPOINT: fcm.url,
    PROVIDER_CA_FILE: resolve(files.ca),
  }
}

/** Writes them to `<directory>/simulators.env`, for `node --env-file` and its like. @returns The file. */
export async function writeEnvironmentFile(simulators: Simulators, directory: string): Promise<string> {
  const path = join(directory, 'simulators.env')
  await replaceFile(path, `${environmentLines(simulators)}\n`)
  return path
}

export const environmentLines = (simulators: Simulators): string =>
  Object.entries(environmentFor(simulators))
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')

/** What a person reads when the simulators have started. */
export const describeSimulators = (simulators: Simulators, environmentFile: string): string =>
  [
    'The simulators of Apple and Google are running. Ctrl-C ends them.',
    '',
    `  APNs production   ${simulators.apns.url}`,
    `  APNs sandbox      ${simulators.apnsSandbox.url}`,
    `  FCM               ${simulators.fcm.url}`,
    `  control           ${simulators.controlUrl}`,
    `  authority (CA)    ${resolve(simulators.files.ca)}`,
    '',
    `To point Wakeline at them (also in ${environmentFile}):`,
    '',
    environmentLines(simulators),
  ].join('\n')
