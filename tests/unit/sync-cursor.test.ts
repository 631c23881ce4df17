import fc from 'fast-check'
import { createSyncCursors } from '../../src/chat/sync-cursor.ts'
import { createKeyring } from '../../src/lib/keyring.ts'

const cursorsWith = (byte: number) => createSyncCursors(createKeyring(Buffer.alloc(32, byte)))
const cursors = cursorsWith(1)
const number = fc.nat({ max: 2 ** 48 - 1 })
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

test('is read by the extension that was given it', () => {
  fc.assert(
    fc.property(number, number, (extensionId, seq) => {
      expect(cursors.read(extensionId, cursors.of(extensionId, seq))).toBe(seq)
    }),
  )
})

test('is nothing to another extension, and to another key', () => {
  fc.assert(
    fc.property(number, number, number, (extensionId, other, seq) => {
      fc.pre(extensionId !== other)
      expect(cursors.read(other, cursors.of(extensionId, seq))).toBeUndefined()
      expect(cursorsWith(2).read(extensionId, cursors.of(extensionId, seq))).toBeUndefined()
    }),
  )
})

test('is nothing when any character of it is another, missing or too much', () => {
  const cursor = cursors.of(7, 41)
  for (let place = 0; place < cursor.length; place += 1) {
    const before = cursor.slice(0, place)
    const after = cursor.slice(place + 1)
    for (const character of ALPHABET) {
      const altered = before + character + after
      if (altered !== cursor) expect(cursors.read(7, altered)).toBeUndefined()
    }
    expect(cursors.read(7, before + after)).toBeUndefined()
    expect(cursors.read(7, `${before}A${cursor.slice(place)}`)).toBeUndefined()
  }
  // Whatever came before, the next good one is read.
  expect(cursors.read(7, cursor)).toBe(41)
})

test('is nothing when somebody made it up', () => {
  fc.assert(
    fc.property(number, fc.oneof(fc.string(), fc.stringMatching(/^[\w-]{22}$/)), (extensionId, made) => {
      expect(cursors.read(extensionId, made)).toBeUndefined()
    }),
    { numRuns: 1_000 },
  )
})
