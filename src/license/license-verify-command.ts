import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { loadConfig } from '../config/config.ts'
import { readEnv } from '../config/env.ts'
import { systemClock } from '../lib/clock.ts'
import { createKeyring } from '../lib/keyring.ts'
import { printJson } from '../lib/shell.ts'
import { StartError } from '../lib/start-error.ts'
import { SECOND } from '../lib/units.ts'
import { type FileVerdict, verifyLicenseFile } from './license-file.ts'
import { createLicenseSigning, readPublicKey } from './license-signing.ts'

/** Far above any file of ours. */
const MAX_BYTES = 64 * 1024

interface VerifyOptions {
  publicKey: string
  fingerprint?: string
  json?: true
}

/** `wakeline license verify`: needs no network, no database and no environment, so it runs on any machine. */
export const verifyCommand = (): Command =>
  new Command('verify')
    .description('judges a signed licence file, without network or database')
    .argument('<file>', 'the licence file; - reads standard input')
    .requiredOption('--public-key <pem file>', 'the public key of the gateway that made it, in PEM')
    .option('--fingerprint <fingerprint>', 'of this machine, for a file that is bound to one')
    .option('--json', 'prints JSON')
    .addHelpText(
      'after',
      '\nThe exit code is 0 for a good file, and 1 for any other.\n\nExample:\n  wakeline license verify acme.license --public-key wakeline.pem',
    )
    .action((file: string, { publicKey, fingerprint, json }: VerifyOptions) => {
      const key = readPublicKey(readText(publicKey, '--public-key'))
      const verdict = verifyLicenseFile(readText(file, 'the licence file'), key, {
        now: systemClock.now(),
        fingerprint,
      })
      if (json) printJson(toJson(verdict))
      else console.log(describe(verdict))
      if (!verdict.isValid) process.exitCode = 1
    })

/** `wakeline license public-key`: needs the secret alone, so it runs before there is a database. */
export const publicKeyCommand = (): Command =>
  new Command('public-key')
    .description('prints the public key of licence files and signed answers')
    .option('--json', 'prints a JWK set in place of PEM')
    .addHelpText('after', '\nExample:\n  wakeline license public-key > wakeline.pem')
    .action(({ json }: { json?: true }) => {
      const signing = signingOfEnvironment()
      if (json) printJson({ keys: [signing.publicJwk()] })
      else process.stdout.write(signing.publicKeyPem())
    })

function signingOfEnvironment() {
  // The shape that asks for no database.
  const { masterKey, licenseSigningKey: pem } = loadConfig(readEnv(), 'embedded').secrets
  if (!masterKey) throw new StartError('there is no secret: set WAKELINE_SECRET or WAKELINE_SECRET_FILE')
  return createLicenseSigning({ pem, seed: createKeyring(masterKey).licenseSigningSeed })
}

function readText(path: string, what: string): string {
  try {
    // 0 is standard input.
    const bytes = readFileSync(path === '-' ? 0 : path)
    if (bytes.length > MAX_BYTES) throw new StartError(`${what} is larger than any that we make`)
    return bytes.toString()
  } catch (error) {
    if (error instanceof StartError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new StartError(`${what} cannot be read (${code})`)
  }
}

const timeOf = (seconds: number) => new Date(seconds * SECOND).toISOString()

function describe(verdict: FileVerdict): string {
  if (!verdict.isValid) return `refused: ${verdict.hint} (${verdict.code})`
  const { claims } = verdict
  return [
    `good until ${timeOf(claims.exp)}`,
    `  licence        ${claims.sub}${claims.key_prefix === undefined ? '' : ` (${claims.key_prefix}…)`}`,
    `  tier           ${claims.tier}`,
    `  extensions     ${claims.max_extensions}`,
    `  installations  ${claims.max_installations ?? 'any number'}`,
    `  includes       ${claims.entitlements.join(', ')}`,
    `  machine        ${claims.fingerprint ?? 'any'}`,
    `  licence ends   ${claims.license_expires_at ?? 'never'}`,
  ].join('\n')
}

const toJson = (verdict: FileVerdict): object =>
  verdict.isValid
    ? { valid: true, expires_at: timeOf(verdict.claims.exp), claims: verdict.claims }
    : { valid: false, code: verdict.code, hint: verdict.hint }
