import { randomBytes } from 'node:crypto'
import { createKeyring } from '../../src/lib/keyring.ts'
import { Problem } from '../../src/lib/problem.ts'
import { MINUTE } from '../../src/lib/units.ts'
import { createKnownLicenses } from '../../src/license/known-licenses.ts'
import type { KeyedLicense } from '../../src/license/license.ts'
import { newLicenseKey } from '../../src/license/license-key.ts'

const license = { id: 'license', key: { prefix: 'WL-7XK2MA' } } as KeyedLicense

/** Everything that is done for a key, in order. */
function openKnown(good: readonly string[] = []) {
  const keyring = createKeyring(randomBytes(32))
  const hashes = new Set(good.map((key) => keyring.licenseKeyHash(key)))
  const done: string[] = []
  const asked: (string | undefined)[] = []
  const state = { isBlocked: false, isAway: false }
  const known = createKnownLicenses({
    licenses: {
      findByKeyHash: async (hash) => {
        done.push('look up')
        if (state.isAway) throw new Error('away')
        return hashes.has(hash) ? license : undefined
      },
    },
    keyring: {
      licenseKeyHash: (key) => {
        done.push('hash')
        return keyring.licenseKeyHash(key)
      },
    },
    addressGuard: {
      check: async (address, keyHash) => {
        done.push(`check ${address}`)
        asked.push(keyHash)
        if (state.isBlocked) throw new Problem('rate_limited', { retryAfter: 30 })
      },
      failed: async (address) => void done.push(`failed ${address}`),
      faulted: async () => undefined,
    },
    staleMs: MINUTE,
    onError: () => undefined,
  })
  return { known, keyring, done, asked, state, find: (key: string) => known.find(key, 'there') }
}

const flipped = (key: string) => key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')

test('a key that is nobody’s costs the same work, whatever is wrong with it', async () => {
  const keys = [
    newLicenseKey(),
    flipped(newLicenseKey()),
    'WL-7XK2MA',
    'other-gateway-key',
    '',
    'x'.repeat(256),
  ]
  for (const key of keys) {
    const { done, find } = openKnown()
    const work = ['hash', 'check there', 'look up', 'failed there']
    expect((await find(key)).license).toBeUndefined()
    expect(done).toEqual(work)
    // The second time as well.
    await find(key)
    expect(done).toEqual([...work, 'hash', 'check there', 'failed there'])
  }
})

test('nothing is looked up for a blocked address, but for a key that is known to work', async () => {
  const [good, other] = [newLicenseKey(), newLicenseKey()]
  const { done, asked, keyring, state, find } = openKnown([good, other])
  expect((await find(good)).license).toBe(license)
  state.isBlocked = true
  done.length = 0
  expect((await find(good)).license).toBe(license)
  await expect(find(newLicenseKey())).rejects.toMatchObject({ code: 'rate_limited' })
  // Nobody can know that this one is good, too, before it is looked up: whether it may be, the guard is asked.
  await expect(find(other)).rejects.toMatchObject({ code: 'rate_limited' })
  expect(done).toEqual(['hash', 'hash', 'check there', 'hash', 'check there'])
  expect(asked.at(-1)).toBe(keyring.licenseKeyHash(other))
  state.isBlocked = false
  expect((await find(other)).license).toBe(license)
})

test('a store that is away is no failure of who asks', async () => {
  const { done, state, find } = openKnown()
  state.isAway = true
  await expect(find(newLicenseKey())).rejects.toMatchObject({
    status: 503,
    message: 'internal error',
    code: 'store_unavailable',
  })
  expect(done).toEqual(['hash', 'check there', 'look up'])
})
