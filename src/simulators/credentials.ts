import { generateKeyPair, randomBytes, randomInt } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createCertificates, type SimulatorCertificates } from './certificates.ts'
import { hasCode } from './has-code.ts'

/** Whom the simulators pretend to be: a client may reach them by the vendors' own names. */
const SERVER_NAMES = [
  'localhost',
  '127.0.0.1',
  'fcm.googleapis.com',
  'oauth2.googleapis.com',
  'api.push.apple.com',
  'api.sandbox.push.apple.com',
]

/** A service account file as Google's console hands it out. */
export interface SimulatedServiceAccount {
  type: 'service_account'
  project_id: string
  private_key_id: string
  /** PKCS#8 PEM, RSA 2048. */
  private_key: string
  client_email: string
  client_id: string
  token_uri: string
}

export interface SimulatorSecrets {
  apns: {
    /** PKCS#8 PEM, P-256: the content of the .p8 file. */
    signingKey: string
    /** Ten characters, as Apple's. */
    keyId: string
    teamId: string
    bundleId: string
  }
  serviceAccount: SimulatedServiceAccount
  certificates: SimulatorCertificates
}

/** The secrets and the files from which a client reads its half of them. */
export interface SimulatorCredentials extends SimulatorSecrets {
  files: { apnsKey: string; serviceAccount: string; ca: string }
}

/**
 * The credentials kept in `directory`, made at the first call. They stay the same over restarts, so that a client that was
 * configured with them keeps working. All files are readable by their owner only.
 */
export async function loadOrCreateSimulatorCredentials(directory: string): Promise<SimulatorCredentials> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const master = join(directory, 'simulator-credentials.json')
  const secrets = (await readSecrets(master)) ?? (await createOnce(master))
  const files = {
    apnsKey: join(directory, `AuthKey_${secrets.apns.keyId}.p8`),
    serviceAccount: join(directory, 'firebase-service-account.json'),
    ca: join(directory, 'simulator-ca.pem'),
  }
  await replaceFile(files.apnsKey, secrets.apns.signingKey)
  await replaceFile(files.serviceAccount, `${JSON.stringify(secrets.serviceAccount, null, 2)}\n`)
  await replaceFile(files.ca, secrets.certificates.ca)
  return { ...secrets, files }
}

/** Writes a whole file or none: who reads it while it is replaced sees the old one. Mode 0600. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const draft = await writeDraft(path, content)
  await rename(draft, path)
}

/** One file holds all that belongs together, and the first of two processes that start at once wins. */
async function createOnce(path: string): Promise<SimulatorSecrets> {
  const draft = await writeDraft(path, JSON.stringify(await createSecrets()))
  try {
    await link(draft, path)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  } finally {
    await rm(draft)
  }
  const secrets = await readSecrets(path)
  if (!secrets) throw new Error(`${path} vanished while it was made`)
  return secrets
}

async function writeDraft(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, content, { mode: 0o600 })
  return draft
}

async function readSecrets(path: string): Promise<SimulatorSecrets | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as SimulatorSecrets
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw new Error(`${path} cannot be read: delete it to get new simulator credentials`, { cause: error })
  }
}

async function createSecrets(): Promise<SimulatorSecrets> {
  const generate = promisify(generateKeyPair)
  const [apns, google] = await Promise.all([
    generate('ec', { namedCurve: 'P-256' }),
    generate('rsa', { modulusLength: 2048 }),
  ])
  const project = 'wakeline-simulator'
  return {
    apns: {
      signingKey: apns.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      keyId: appleId(),
      teamId: appleId(),
      bundleId: 'com.example.wakeline',
    },
    serviceAccount: {
      type: 'service_account',
      project_id: project,
      private_key_id: randomBytes(20).toString('hex'),
      private_key: google.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      client_email: `wakeline@${project}.iam.gserviceaccount.com`,
      client_id: String(randomInt(1e12, 2e14)),
      token_uri: 'https://oauth2.googleapis.com/token',
    },
    certificates: await createCertificates(SERVER_NAMES),
  }
}

/** Key and team ids at Apple are ten capitals and digits. */
function appleId(): string {
  const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
  return Array.from({ length: 10 }, () => alphabet.charAt(randomInt(alphabet.length))).join('')
}
