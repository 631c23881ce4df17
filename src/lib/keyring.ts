import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomFillSync,
} from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
/** One block by itself: no padding, nothing that is chained. */
const BLOCK_ALGORITHM = 'aes-256-ecb'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Nonces fetched at once: asking the system for each costs more than the encryption. */
const NONCES = 256

/**
 * Everything that is done with the master key. Each purpose has a key of its own (HKDF, RFC 5869), so that a hash of one
 * kind never matches one of another.
 */
export function createKeyring(masterKey: Uint8Array) {
  // A KeyObject, because node:crypto would turn a Buffer into one at every use, which took longer than the use itself.
  const derive = (purpose: string) =>
    createSecretKey(Buffer.from(hkdfSync('sha256', masterKey, 'wakeline', purpose, 32)))
  const sealing = derive('seal')
  const nonces = createNonces()
  const hashing = (purpose: string) => {
    const key = derive(purpose)
    return (value: string): string => createHmac('sha256', key).update(value).digest('hex')
  }

  return {
    /** Searchable fingerprints, lower-case hex: a database dump alone gives no key or token away. */
    tokenHash: hashing('token-hash'),
    licenseKeyHash: hashing('license-key'),
    pbxKeyHash: hashing('pbx-key'),
    sessionHash: hashing('operator-session'),
    loginNameHash: hashing('login-name'),
    provisioningHash: hashing('provisioning-link'),
    refreshTokenMac: hashing('app-refresh-token'),
    syncCursorBlock: createBlocks(derive('chat-sync-cursor-block')),
    /** 32 bytes: signs the tokens of the app, where no other secret was given. */
    appTokenSecret: derive('app-token').export(),
    /** 32 bytes: the Ed25519 key that signs licences, where no other was given. */
    licenseSigningSeed: derive('license-signing').export(),

    /** Encrypts `text`; `context` must be given again to open it, which ties the box to its place. */
    seal(text: string, context: string): string {
      const nonce = nonces.next()
      const cipher = createCipheriv(ALGORITHM, sealing, nonce)
      cipher.setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
    },

    /** Throws when the box was made with another key, for another place, or was altered. */
    open(box: string, context: string): string {
      const bytes = Buffer.from(box, 'base64')
      const decipher = createDecipheriv(ALGORITHM, sealing, bytes.subarray(0, NONCE_BYTES))
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      const body = bytes.subarray(NONCE_BYTES + TAG_BYTES)
      return decipher.update(body, undefined, 'utf8') + decipher.final('utf8')
    },
  }
}
export type Keyring = ReturnType<typeof createKeyring>

/** Single blocks of AES (FIPS 197), 16 bytes each, by two ciphers that are used over and over. */
function createBlocks(key: KeyObject) {
  const encrypting = createCipheriv(BLOCK_ALGORITHM, key, null).setAutoPadding(false)
  const decrypting = createDecipheriv(BLOCK_ALGORITHM, key, null).setAutoPadding(false)
  return {
    encrypt: (block: Buffer): Buffer => encrypting.update(block),
    decrypt: (block: Buffer): Buffer => decrypting.update(block),
  }
}

/** 96 random bits each (NIST SP 800-38D section 8.2.2), never given out twice. */
function createNonces() {
  let pool = Buffer.alloc(0)
  return {
    next(): Buffer {
      if (pool.length === 0) pool = randomFillSync(Buffer.alloc(NONCES * NONCE_BYTES))
      const nonce = pool.subarray(0, NONCE_BYTES)
      pool = pool.subarray(NONCE_BYTES)
      return nonce
    },
  }
}
