// The library reads decorator metadata while it loads.
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { DAY } from '../lib/units.ts'

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const VALID_FOR = 3_650 * DAY
/** A client whose clock is a little behind must not refuse a certificate made a second ago. */
const BACKDATED = DAY

/** All PEM. */
export interface SimulatorCertificates {
  /** The authority that clients have to trust. */
  ca: string
  cert: string
  key: string
}

/**
 * An authority and a server certificate signed by it (ECDSA P-256, valid for ten years).
 * @param names Host names and IP addresses of the server.
 */
export async function createCertificates(names: readonly string[]): Promise<SimulatorCertificates> {
  const validity = { notBefore: new Date(Date.now() - BACKDATED), notAfter: new Date(Date.now() + VALID_FOR) }
  const authority = await createKeys()
  const server = await createKeys()
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Wakeline simulators',
    keys: authority,
    signingAlgorithm: ECDSA,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authority.publicKey),
    ],
  })
  const cert = await x509.X509CertificateGenerator.create({
    subject: 'CN=Wakeline simulator',
    issuer: ca.subject,
    publicKey: server.publicKey,
    // The authority's key is forgotten on return: whoever trusts this authority trusts this one server and no other.
    signingKey: authority.privateKey,
    signingAlgorithm: ECDSA,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }) as const),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  })
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', server.privateKey))
  return {
    ca: ca.toString('pem'),
    cert: cert.toString('pem'),
    key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
  }
}

const createKeys = () => webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
