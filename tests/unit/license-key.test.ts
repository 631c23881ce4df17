import fc from 'fast-check'
import { canonicalKey, keyPrefix, mistypedHint, newLicenseKey } from '../../src/license/license-key.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GROUPS = 6
const LETTERS = 6
/** Where the letter of a group stands in `WL-ABCDEF-…`. */
const placeOf = (group: number, letter: number) => 'WL-'.length + group * (LETTERS + 1) + letter
const replaced = (key: string, place: number, letter: string) =>
  `${key.slice(0, place)}${letter}${key.slice(place + 1)}`
const aPlace = fc.tuple(fc.nat(GROUPS - 1), fc.nat(LETTERS - 1))

test('a new key is right, in readable groups, and no two are alike', () => {
  const keys = Array.from({ length: 1_000 }, newLicenseKey)
  for (const key of keys) {
    expect(key).toMatch(/^WL(-[0-9A-HJKMNP-TV-Z]{6}){6}$/)
    expect(mistypedHint(key)).toBeUndefined()
    expect(canonicalKey(key)).toBe(key)
  }
  expect(new Set(keys).size).toBe(keys.length)
  // Every letter comes at every place that is random.
  for (let group = 0; group < GROUPS; group += 1) {
    for (let letter = 0; letter < LETTERS; letter += 1) {
      expect(new Set(keys.map((key) => key[placeOf(group, letter)])).size).toBe(ALPHABET.length)
    }
  }
})

test('one wrong letter is found, and its group named', () => {
  fc.assert(
    fc.property(aPlace, fc.constantFrom(...ALPHABET), ([group, letter], wrong) => {
      const key = newLicenseKey()
      const place = placeOf(group, letter)
      fc.pre(key[place] !== wrong)
      expect(mistypedHint(replaced(key, place, wrong))).toBe(
        `look at group ${group + 1} of the key: a letter is wrong there, or two have changed places`,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('two letters of a group that have changed places are found', () => {
  fc.assert(
    fc.property(fc.nat(GROUPS - 1), fc.nat(LETTERS - 1), fc.nat(LETTERS - 1), (group, one, two) => {
      const key = newLicenseKey()
      const [a, b] = [placeOf(group, one), placeOf(group, two)]
      fc.pre(key[a] !== key[b])
      const swapped = replaced(replaced(key, a, key[b] ?? ''), b, key[a] ?? '')
      expect(mistypedHint(swapped)).toContain(`group ${group + 1} `)
    }),
    { numRuns: 2_000 },
  )
})

test('groups that have changed places are found', () => {
  const groups = newLicenseKey().slice(3).split('-')
  const [first = '', second = '', ...rest] = groups
  expect(mistypedHint(`WL-${[second, first, ...rest].join('-')}`)).toContain('look at group 1 and 2')
})

test.each([
  ['small letters', (key: string) => key.toLowerCase()],
  ['spaces for dashes', (key: string) => key.replaceAll('-', ' ')],
  ['no dashes after the first', (key: string) => `WL-${key.slice(3).replaceAll('-', '')}`],
  ['white space around it', (key: string) => ` ${key}\n`],
  ['O for 0 and I for 1', (key: string) => `WL-${key.slice(3).replaceAll('0', 'o').replaceAll('1', 'l')}`],
])('%s: the same key', (_name, write) => {
  for (let i = 0; i < 50; i += 1) {
    const key = newLicenseKey()
    expect(canonicalKey(write(key))).toBe(key)
    expect(mistypedHint(write(key))).toBeUndefined()
  }
})

test('a key that is too short or too long says so', () => {
  const key = newLicenseKey()
  expect(mistypedHint(key.slice(0, -1))).toBe('a key has 36 letters and digits after WL, and this one 35')
  expect(mistypedHint(`${key}7`)).toBe('a key has 36 letters and digits after WL, and this one 37')
})

test('what is no key of ours stays as it is, and is not called mistyped', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      fc.pre(!/^\s*WL[\s_-]/i.test(text))
      expect(mistypedHint(text)).toBeUndefined()
      expect(canonicalKey(text)).toBe(text.trim())
    }),
  )
})

test('a hint never repeats the key, and the prefix tells little of it', () => {
  const key = newLicenseKey()
  for (const group of key.slice(3).split('-')) expect(mistypedHint(`${key}X`)).not.toContain(group)
  expect(keyPrefix(key)).toBe(key.slice(0, 9))
  expect(keyPrefix('0123456789abcdef0123456789abcdef')).toBe('01234567')
  expect(keyPrefix('short')).toBe('s')
})
