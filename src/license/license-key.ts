import { randomBytes } from 'node:crypto'

/** Crockford's alphabet (https://www.crockford.com/base32.html): no letter that looks like another one. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GROUPS = 6
/** Letters of a group before its check letter: 6 x 5 x 5 = 150 random bits in all. */
const GROUP_DATA = 5
const GROUP_LENGTH = GROUP_DATA + 1
const WRITTEN = /^WL(?:-[0-9A-HJKMNP-TV-Z]{6}){6}$/
/** What support may know a key by: `WL-` and the first group, 25 of the 150 bits. */
const PREFIX_LENGTH = 'WL-'.length + GROUP_LENGTH

/** A new key such as `WL-7XK2MA-…`: six groups, each with a check letter at its end. */
export function newLicenseKey(): string {
  const groups = Array.from({ length: GROUPS }, (_, index) => {
    // 256 is a multiple of 32, so every letter is as likely as any other.
    const data = Array.from(randomBytes(GROUP_DATA), (byte) => byte % ALPHABET.length)
    return [...data, checkOf(index, data)].map((value) => ALPHABET[value]).join('')
  })
  return `WL-${groups.join('-')}`
}

/** The first letters of a key, of any form: enough for support, too few to guess the rest. */
export const keyPrefix = (key: string): string =>
  key.startsWith('WL-') ? key.slice(0, PREFIX_LENGTH) : key.slice(0, Math.min(8, Math.floor(key.length / 3)))

/** The key as it was given out: people add spaces, use small letters, and read 0 as O. Keys of another form stay as they are. */
export function canonicalKey(text: string): string {
  // As nearly every request has it.
  if (WRITTEN.test(text)) return text
  const trimmed = text.trim()
  const body = bodyOf(trimmed)
  return body?.length === GROUPS * GROUP_LENGTH ? `WL-${(body.match(/.{6}/g) ?? []).join('-')}` : trimmed
}

/**
 * What is wrong with a key that looks like one of ours, in a sentence that says where to look; undefined when it is right, or of
 * another form. One wrong letter, and two letters of a group in each other's place, are always found (the check letter is a code
 * over GF(32) with a different weight for each place).
 */
export function mistypedHint(text: string): string | undefined {
  const body = bodyOf(text.trim())
  if (body === undefined) return undefined
  const expected = GROUPS * GROUP_LENGTH
  if (body.length !== expected)
    return `a key has ${expected} letters and digits after WL, and this one ${body.length}`
  const wrong = (body.match(/.{6}/g) ?? []).flatMap((group, index) =>
    isGood(group, index) ? [] : [index + 1],
  )
  if (wrong.length === 0) return undefined
  return `look at group ${wrong.join(' and ')} of the key: a letter is wrong there, or two have changed places`
}

/** The letters after `WL`, without what people put between them. */
function bodyOf(text: string): string | undefined {
  const [, rest] = /^WL[\s_-]+(.*)$/is.exec(text) ?? []
  return rest
    ?.replaceAll(/[\s_-]/g, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1')
}

function isGood(group: string, index: number): boolean {
  const values = Array.from(group, (letter) => ALPHABET.indexOf(letter))
  return !values.includes(-1) && values.at(-1) === checkOf(index, values.slice(0, GROUP_DATA))
}

/** The group's place goes in, too, so that two groups cannot change places. */
const checkOf = (index: number, data: readonly number[]): number =>
  double(data.reduce((sum, value) => double(sum) ^ value, index + 1))

/** Times the generator of GF(32), modulo its primitive polynomial x^5 + x^2 + 1. */
const double = (value: number): number => (value & 0x10 ? (value << 1) ^ 0b100101 : value << 1)
