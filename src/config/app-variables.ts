import type { ApnsCredentials, AppCredentials, FcmCredentials } from '../push/app-credentials.ts'
import type { Reader } from './faults.ts'
import { isPrivateKey } from './private-key.ts'

const TEN = /^[A-Z0-9]{10}$/

/** The credentials that the environment names: all of a provider's variables, or none of them. */
export function readApp(reader: Reader): AppCredentials | undefined {
  const ca = reader.file('PROVIDER_CA_FILE')
  const id =
    reader.pattern('APP_ID', /^[A-Za-z0-9._-]{1,64}$/, 'up to 64 letters, digits, dots, dashes') ?? ''
  const apns = readApns(reader, ca)
  const fcm = readFcm(reader, ca)
  if (!apns && !fcm) return undefined
  return { id, ...(apns && { apns }), ...(fcm && { fcm }) }
}

function readApns(reader: Reader, ca: string | undefined): ApnsCredentials | undefined {
  const names = ['APNS_KEY_FILE', 'APNS_KEY_ID', 'APNS_TEAM_ID', 'APNS_BUNDLE_ID'] as const
  const missing = names.filter((name) => reader.text(name) === undefined)
  if (missing.length === names.length) return undefined
  if (missing.length > 0) return reader.fault(`APNs needs ${missing.join(', ')} as well`)

  const signingKey = reader.file('APNS_KEY_FILE')
  if (signingKey !== undefined && !isPrivateKey(signingKey, 'ec')) {
    reader.fault('APNS_KEY_FILE must be a .p8 file of Apple (a P-256 key in PEM)')
  }
  const keyId = reader.pattern('APNS_KEY_ID', TEN, '10 capital letters or digits')
  const teamId = reader.pattern('APNS_TEAM_ID', TEN, '10 capital letters or digits')
  const bundleId = reader.pattern(
    'APNS_BUNDLE_ID',
    /^[A-Za-z0-9.-]{1,155}$/,
    'a bundle id like com.example.app',
  )
  const production = reader.url('APNS_ENDPOINT', ['https:'])
  const sandbox = reader.url('APNS_SANDBOX_ENDPOINT', ['https:'])
  if (!signingKey || !keyId || !teamId || !bundleId || !production || !sandbox) return undefined
  return { signingKey, keyId, teamId, bundleId, endpoints: { production, sandbox }, ...(ca && { ca }) }
}

function readFcm(reader: Reader, ca: string | undefined): FcmCredentials | undefined {
  const endpoint = reader.url('FCM_ENDPOINT', ['https:'])
  const json = reader.file('FCM_CREDENTIALS_FILE')
  if (json === undefined) return undefined
  const account = parseServiceAccount(json)
  if (!account)
    return reader.fault('FCM_CREDENTIALS_FILE must be the service account JSON of a Firebase project')
  return { ...account, ...(endpoint && { endpoint }), ...(ca && { ca }) }
}

function parseServiceAccount(json: string) {
  try {
    const account = JSON.parse(json) as Record<string, unknown>
    const { project_id: projectId, client_email: clientEmail, private_key: privateKey } = account
    if (typeof projectId !== 'string' || typeof clientEmail !== 'string') return undefined
    if (typeof privateKey !== 'string' || !isPrivateKey(privateKey, 'rsa')) return undefined
    return { projectId, clientEmail, privateKey }
  } catch {
    return undefined // not JSON: the caller names the variable, the content stays out of the message
  }
}
