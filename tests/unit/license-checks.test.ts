import fc from 'fast-check'
import { PROBLEMS } from '../../src/lib/problem.ts'
import { DAY } from '../../src/lib/units.ts'
import type { Installation, KeyedLicense } from '../../src/license/license.ts'
import {
  graceOf,
  LICENSE_CODES,
  type LicenseCode,
  type LicenseFacts,
  refusalOf,
} from '../../src/license/license-checks.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')

const license: KeyedLicense = {
  id: '0193a1c5-7d1e-7c3a-9b7e-6a1f0f6f4a11',
  tenantId: '0193a1c5-7d1e-7c3a-9b7e-6a1f0f6f4a12',
  tier: 'standard',
  maxExtensions: 25,
  maxInstallations: 2,
  entitlements: ['calls'],
  createdAt: NOW - 30 * DAY,
  expiresAt: NOW + DAY,
  key: { prefix: 'WL-7XK2MA' },
}
const installation: Installation = {
  id: '7d1e0193-a1c5-4c3a-9b7e-6a1f0f6f4a13',
  licenseId: license.id,
  hostname: 'pbx1',
  version: '1.2.3',
  activatedAt: NOW - DAY,
  lastSeenAt: NOW,
}
const good: LicenseFacts = {
  now: NOW,
  graceMs: 0,
  license,
  installation,
  seats: { active: 1, wanted: 1 },
  extensions: 25,
  needs: ['calls'],
}

/** What makes each check fail: applied to facts that are good, or that fail others as well. */
const FAULTS: Record<LicenseCode, (facts: LicenseFacts) => LicenseFacts> = {
  KEY_MISTYPED: (facts) => ({ ...facts, license: undefined, mistyped: 'look at group 2 of the key' }),
  NOT_FOUND: (facts) => ({ ...facts, license: undefined }),
  KEY_REPLACED: (facts) => change(facts, { key: { prefix: 'WL-7XK2MA', expiresAt: NOW } }),
  REVOKED: (facts) => change(facts, { revokedAt: NOW - 1 }),
  SUSPENDED: (facts) => change(facts, { suspendedAt: NOW - 1 }),
  EXPIRED: (facts) => change(facts, { expiresAt: NOW }),
  INSTALLATION_NOT_FOUND: (facts) => ({ ...facts, installation: null }),
  INSTALLATION_DEACTIVATED: (facts) => ({
    ...facts,
    installation: { ...installation, deactivatedAt: NOW - 1, deactivatedWhy: 'forced' },
  }),
  TOO_MANY_INSTALLATIONS: (facts) => ({ ...facts, seats: { active: 2, wanted: 1 } }),
  TOO_MANY_EXTENSIONS: (facts) => ({ ...facts, extensions: 26 }),
  ENTITLEMENT_MISSING: (facts) => ({ ...facts, needs: ['calls', 'offline', 'webhooks'] }),
}
const change = (facts: LicenseFacts, by: Partial<KeyedLicense>): LicenseFacts =>
  facts.license ? { ...facts, license: { ...facts.license, ...by } } : facts

test('a good licence is refused nothing', () => {
  expect(refusalOf(good)).toBeUndefined()
})

const HINTS: [LicenseCode, 'key' | 'license' | 'use', string][] = [
  ['KEY_MISTYPED', 'key', 'look at group 2 of the key'],
  [
    'NOT_FOUND',
    'key',
    'no licence has this key: compare it with the one you were given, and check that this is the right gateway',
  ],
  ['KEY_REPLACED', 'key', 'this key was replaced, and good until 2026-11-21: use its successor'],
  ['REVOKED', 'license', 'this licence was revoked on 2026-11-21'],
  ['SUSPENDED', 'license', 'this licence is suspended since 2026-11-21: ask who gave it to you'],
  ['EXPIRED', 'license', 'this licence ended on 2026-11-21: have it renewed'],
  ['INSTALLATION_NOT_FOUND', 'use', 'this licence has no such installation: activate it first'],
  ['INSTALLATION_DEACTIVATED', 'use', 'this installation was deactivated on 2026-11-21: activate it again'],
  [
    'TOO_MANY_INSTALLATIONS',
    'use',
    'this licence is for 2 installations, and 2 are in use: deactivate one, or transfer its seat',
  ],
  ['TOO_MANY_EXTENSIONS', 'use', 'this licence is for 25 extensions, and there would be 26'],
  ['ENTITLEMENT_MISSING', 'use', 'this licence does not include: offline, webhooks'],
]

test('there is a case for every code, in the order of the checks', () => {
  expect(HINTS.map(([code]) => code)).toEqual(LICENSE_CODES)
  expect(Object.keys(FAULTS)).toEqual(LICENSE_CODES)
})

test.each(HINTS)('%s, about the %s: %s', (code, about, hint) => {
  expect(refusalOf(FAULTS[code](good))).toEqual({ code, about, hint })
})

const PAIRS = LICENSE_CODES.flatMap((first, index) =>
  LICENSE_CODES.slice(index + 1).map((second) => [first, second] as const),
)

test('the pairs are all of them', () => {
  expect(PAIRS).toHaveLength((LICENSE_CODES.length * (LICENSE_CODES.length - 1)) / 2)
})

test.each(PAIRS)('%s comes before %s', (first, second) => {
  // The earlier fault comes last, because one of two that exclude each other takes the place of the other.
  expect(refusalOf(FAULTS[first](FAULTS[second](good)))?.code).toBe(first)
})

test('there is a refusal exactly when a check fails, and it is the first of those', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...LICENSE_CODES)), (codes) => {
      const wrong = LICENSE_CODES.filter((code) => codes.includes(code))
      const facts = wrong.reduceRight((before, code) => FAULTS[code](before), good)
      expect(refusalOf(facts)?.code).toBe(wrong[0])
    }),
  )
})

test('numbers and times are judged to the last one', () => {
  const licenseOf = (by: Partial<KeyedLicense>) => refusalOf(change(good, by))?.code
  expect(licenseOf({ expiresAt: NOW + 1 })).toBeUndefined()
  expect(licenseOf({ key: { prefix: '', expiresAt: NOW + 1 } })).toBeUndefined()
  expect(refusalOf({ ...change(good, { expiresAt: NOW - DAY }), graceMs: DAY })?.code).toBe('EXPIRED')
  expect(refusalOf({ ...change(good, { expiresAt: NOW - DAY + 1 }), graceMs: DAY })).toBeUndefined()
  const { maxInstallations, expiresAt, ...unlimited } = license
  expect(refusalOf({ ...good, license: unlimited, seats: { active: 1_000, wanted: 1 } })).toBeUndefined()
})

test('a key that only looks mistyped is good when a licence has it', () => {
  expect(refusalOf({ ...good, mistyped: 'look at group 2 of the key' })).toBeUndefined()
})

test('what nobody asked about is not judged', () => {
  const { installation: _, seats, extensions, needs, ...bare } = good
  expect(refusalOf(bare)).toBeUndefined()
})

test('grace lasts from the end of the licence until the end of the grace', () => {
  fc.assert(
    fc.property(fc.integer({ min: -10, max: 10 }), fc.nat(5), (since, graceDays) => {
      const facts = change({ ...good, graceMs: graceDays * DAY }, { expiresAt: NOW - since * DAY })
      const until = graceOf(facts)
      const isGrace = since >= 0 && since < graceDays
      expect(until).toBe(isGrace ? NOW - since * DAY + graceDays * DAY : undefined)
      // Whoever is refused as expired has no grace, and whoever has one is not refused.
      expect(refusalOf(facts)?.code).toBe(since >= graceDays && since >= 0 ? 'EXPIRED' : undefined)
    }),
  )
})

test('the codes that are documented for each problem are those that the checks have', () => {
  const codesAbout = (about: string) => HINTS.filter((each) => each[1] === about).map(([code]) => code)
  const { license_invalid, activation_refused, license_not_found, license_unknown } = PROBLEMS
  for (const { codes } of [license_invalid, activation_refused, license_not_found])
    expect(codes).toEqual([...codesAbout('key'), ...codesAbout('license')])
  expect(license_unknown.codes).toEqual(codesAbout('key'))
  const { license_refused, seats_taken } = PROBLEMS
  expect(new Set([...license_refused.codes, ...seats_taken.codes])).toEqual(new Set(codesAbout('use')))
})
