import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import { DAY } from '../lib/units.ts'
import {
  bitString,
  boolean,
  integer,
  octetString,
  oid,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from './der.ts'

/** Names of certificate fields: https://www.rfc-editor.org/rfc/rfc5280 and RFC 5758 section 3.2. */
const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const

const VALID_FOR = 3_650 * DAY
/** A client whose clock is a little behind must not refuse a certificate made a second ago. */
const BACKDATED = DAY

const AUTHORITY = 'Wakeline simulators'
const SERVER = 'Wakeline simulator'

/** All PEM. */
export interface SimulatorCertificates {
  /** The authority that clients have to trust. */
  ca: string
  cert: string
  key: string
}

interface KeyPair {
  publicKey: KeyObject
  privateKey: KeyObject
}

/**
 * An authority and a server certificate signed by it (ECDSA P-256, valid for ten years).
 * @param names Host names and IPv4 addresses of the server.
 */
export function createCertificates(names: readonly string[]): SimulatorCertificates {
  // The authority's key is forgotten on return: whoever trusts this authority trusts this one server and no other.
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    ca: certificate(AUTHORITY, authority.publicKey, authority, authorityExtensions(authority.publicKey)),
    cert: certificate(
      SERVER,
      server.publicKey,
      authority,
      serverExtensions(server.publicKey, authority, names),
    ),
    key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function certificate(subject: string, key: KeyObject, issuer: KeyPair, extensions: Buffer[]): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256))
  const now = Date.now()
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name(AUTHORITY),
    sequence(time(new Date(now - BACKDATED)), time(new Date(now + VALID_FOR))),
    name(subject),
    spki(key),
    tagged(0xa3, sequence(...extensions)),
  )
  const signed = sequence(body, algorithm, bitString(sign('sha256', body, issuer.privateKey)))
  const lines = signed.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

const authorityExtensions = (key: KeyObject): Buffer[] => [
  extension(OID.basicConstraints, sequence(boolean(true)), 'critical'),
  extension(OID.keyUsage, bitString(Buffer.from([0b0000_0110]), 1), 'critical'), // keyCertSign, cRLSign
  extension(OID.subjectKeyIdentifier, octetString(keyIdentifier(key))),
]

const serverExtensions = (key: KeyObject, authority: KeyPair, names: readonly string[]): Buffer[] => [
  extension(OID.basicConstraints, sequence(), 'critical'),
  extension(OID.keyUsage, bitString(Buffer.from([0b1000_0000]), 7), 'critical'), // digitalSignature
  extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth))),
  extension(OID.subjectAltName, sequence(...names.map(alternativeName))),
  extension(OID.subjectKeyIdentifier, octetString(keyIdentifier(key))),
  extension(OID.authorityKeyIdentifier, sequence(tagged(0x80, keyIdentifier(authority.publicKey)))),
]

const extension = (id: string, value: Buffer, critical?: 'critical'): Buffer =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value))

const alternativeName = (host: string): Buffer =>
  isIP(host) === 4 ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host))

const name = (commonName: string): Buffer =>
  sequence(set(sequence(oid(OID.commonName), utf8String(commonName))))

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })

const keyIdentifier = (key: KeyObject): Buffer =>
  createHash('sha256').update(spki(key)).digest().subarray(0, 20)
