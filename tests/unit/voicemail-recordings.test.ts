import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { jest } from '@jest/globals'
import fc from 'fast-check'
import { checkContainer, walkContainer } from '../../src/pbx/voicemail-container.ts'
import { readRecording } from '../../src/pbx/voicemail-media.ts'
import { chunk, fmtChunk, oggPage, opus, riff, sound, WRONG_MEDIA, wav } from '../support/recordings.ts'

/** What is a recording, and how long it is: told by its bytes alone. */

const isWhole = (file: Buffer, step = file.length || 1): boolean => {
  const walk = walkContainer()
  for (let at = 0; at < file.length; at += step) {
    if (!walk.push(file.subarray(at, at + step))) return false
  }
  return walk.isComplete()
}
const bytes = (file: Buffer, step = 1_000) =>
  Readable.from(
    Array.from({ length: Math.ceil(file.length / step) }, (_, i) => file.subarray(i * step, (i + 1) * step)),
    { objectMode: false },
  )
/** As an upload is judged: the container first, then what is in it. */
const judge = async (file: Buffer) => (isWhole(file) ? readRecording(bytes(file), file.length) : undefined)

test.each([
  ['PCM of 16 bits', wav({ seconds: 2 }), 'audio/wav', 2],
  ['PCM at 16 kHz', wav({ rate: 16_000, seconds: 5 }), 'audio/wav', 5],
  ['A-law', wav({ format: 6, bits: 8, seconds: 3 }), 'audio/wav', 3],
  ['µ-law', wav({ format: 7, bits: 8, seconds: 4 }), 'audio/wav', 4],
  ['a moment', riff([fmtChunk(), chunk('data', sound(2))]), 'audio/wav', 1],
  [
    'more chunks',
    wav({
      chunks: [
        chunk('LIST', Buffer.from('INFOISFT\x04\0\0\0Lavf')),
        chunk('fact', Buffer.from([0x80, 0x3e, 0, 0])),
      ],
    }),
    'audio/wav',
    2,
  ],
  [
    'a chunk behind the sound',
    riff([fmtChunk(), chunk('data', sound(16_000)), chunk('junk', sound(9))]),
    'audio/wav',
    1,
  ],
  [
    'sound of an odd length',
    riff([fmtChunk({ format: 7, bits: 8 }), chunk('data', sound(8_001))]),
    'audio/wav',
    1,
  ],
  [
    'sound of an odd length without its filling',
    riff([fmtChunk({ format: 7, bits: 8 }), chunk('data', sound(8_001)).subarray(0, -1)]),
    'audio/wav',
    1,
  ],
  ['Opus', opus({ seconds: 3 }), 'audio/ogg', 3],
  ['Opus of a minute', opus({ seconds: 60 }), 'audio/ogg', 60],
])('%s is a recording', async (_name, file, mediaType, durationSeconds) => {
  expect(await judge(file)).toEqual({ mediaType, durationSeconds })
})

test.each(Object.entries(WRONG_MEDIA))('%s is none', async (_name, file) => {
  expect(await judge(file)).toBeUndefined()
})

/** Pieces of a file, one after the other, until the walk refuses one. */
function refusedAfter(begin: Buffer, piece: Buffer): number | undefined {
  const walk = walkContainer()
  expect(walk.push(begin)).toBe(true)
  const most = Math.floor(10_000_000 / piece.length)
  for (let i = 1; i <= most; i += 1) if (!walk.push(piece)) return i
  return undefined
}

test.each([
  ['chunks', riff([], { size: 9_999_992 }), chunk('junk', Buffer.alloc(0))],
  ['pages', oggPage(2, 0, 0, Buffer.alloc(0)), oggPage(0, 0, 1, Buffer.alloc(0))],
])(
  'ten megabytes of empty %s are refused at the ten thousandth, in one piece or in many',
  (_name, begin, piece) => {
    // The beginning is a piece, too.
    expect(refusedAfter(begin, piece)).toBe(10_000)
    const whole = Buffer.concat([begin, ...Array(Math.floor(9_999_000 / piece.length)).fill(piece)])
    const walk = walkContainer()
    const reads = jest.spyOn(Buffer, 'concat')
    expect(walk.push(whole)).toBe(false)
    // Nothing but its beginning was copied.
    expect(reads.mock.calls.length).toBeLessThan(3)
    reads.mockRestore()
  },
)

test('it does not matter in which pieces a file comes', () => {
  const files = [wav({ seconds: 1 }), opus(), ...Object.values(WRONG_MEDIA)]
  fc.assert(
    fc.property(fc.constantFrom(...files), fc.integer({ min: 1, max: 700 }), (file, step) => {
      expect(isWhole(file, step)).toBe(isWhole(file))
    }),
  )
})

test('a file that lacks its end, or has more behind it, is not whole', () => {
  for (const file of [wav({ seconds: 1 }), opus()]) {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: file.length - 1 }), (length) => {
        // Ogg has no size in front: what ends with a page looks whole, and the upload around it tells that it was cut.
        const part = file.subarray(0, length)
        const endsWithPage = file.subarray(length, length + 4).toString('latin1') === 'OggS' && length > 0
        expect(isWhole(part)).toBe(endsWithPage)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 50 }), (more) => {
        expect(isWhole(Buffer.concat([file, more]))).toBe(false)
      }),
    )
  }
})

test('bytes of any kind neither fail nor hang', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('', 'RIFF', 'OggS', 'RIFF\x20\0\0\0WAVEfmt '),
      fc.uint8Array({ maxLength: 300 }),
      async (magic, rest) => {
        const file = Buffer.concat([Buffer.from(magic, 'latin1'), rest])
        isWhole(file, 7)
        expect(await readRecording(bytes(file), file.length)).toBeUndefined()
      },
    ),
  )
})

test('the check passes on what it has seen, and fails as soon as it knows', async () => {
  const file = wav({ seconds: 1 })
  const refusal = () => new Error('no recording')
  const passed: Buffer[] = []
  for await (const piece of bytes(file).pipe(checkContainer(refusal))) passed.push(piece as Buffer)
  expect(Buffer.concat(passed).equals(file)).toBe(true)

  const check = checkContainer(refusal)
  let given = 0
  const endless = Readable.from(
    (function* () {
      for (; given < 1_000; given += 1) yield Buffer.alloc(65_536, 'PK')
    })(),
    { objectMode: false },
  )
  await expect(text(endless.pipe(check))).rejects.toThrow('no recording')
  endless.destroy()
  expect(given).toBeLessThan(10)
})

test('a storage that fails while a recording is looked at is not the recording’s fault', async () => {
  const failing = new Readable({
    read() {
      this.destroy(new Error('the disk is gone'))
    },
  })
  await expect(readRecording(failing, 1_000)).rejects.toThrow('the disk is gone')
})
