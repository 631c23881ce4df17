/** Recordings made by hand, byte by byte, so that they can be wrong in every place. */

interface WavOptions {
  /** 1 PCM, 6 A-law, 7 µ-law, 0x31 GSM 6.10, 0x55 MP3. */
  format?: number
  rate?: number
  bits?: number
  seconds?: number
  /** More chunks, before the sound. */
  chunks?: Buffer[]
}

export function chunk(id: string, content: Buffer, size = content.length): Buffer {
  const header = Buffer.alloc(8)
  header.write(id, 0, 'latin1')
  header.writeUInt32LE(size, 4)
  return Buffer.concat([header, content, Buffer.alloc(content.length % 2)])
}

export function riff(
  chunks: readonly Buffer[],
  { size, form = 'WAVE' }: { size?: number; form?: string } = {},
) {
  const body = Buffer.concat([Buffer.from(form, 'latin1'), ...chunks])
  const header = Buffer.alloc(8)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(size ?? body.length, 4)
  return Buffer.concat([header, body])
}

export function fmtChunk({ format = 1, rate = 8_000, bits = 16 }: WavOptions = {}): Buffer {
  const fmt = Buffer.alloc(16)
  fmt.writeUInt16LE(format, 0)
  fmt.writeUInt16LE(1, 2)
  fmt.writeUInt32LE(rate, 4)
  fmt.writeUInt32LE((rate * bits) / 8, 8)
  fmt.writeUInt16LE(bits / 8, 12)
  fmt.writeUInt16LE(bits, 14)
  return chunk('fmt ', fmt)
}

/** A tone, so that no two places of it are the same. */
export function sound(bytes: number): Buffer {
  const content = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 1) content[at] = (at * 7 + (at >> 8)) & 0xff
  return content
}

export function wav(options: WavOptions = {}): Buffer {
  const { rate = 8_000, bits = 16, seconds = 2, chunks = [] } = options
  return riff([fmtChunk(options), ...chunks, chunk('data', sound((seconds * rate * bits) / 8))])
}

/** RFC 3533 section 6; nobody looks at the checksum. */
export function oggPage(
  flags: number,
  granule: number,
  sequence: number,
  packet: Buffer,
  serial = 7,
): Buffer {
  const lengths = [...Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255]
  const header = Buffer.alloc(27)
  header.write('OggS', 0, 'latin1')
  header.writeUInt8(flags, 5)
  header.writeBigInt64LE(BigInt(granule), 6)
  header.writeUInt32LE(serial, 14)
  header.writeUInt32LE(sequence, 18)
  header.writeUInt8(lengths.length, 26)
  return Buffer.concat([header, Buffer.from(lengths), packet])
}

/** RFC 7845: a head, tags, and sound of 48,000 samples a second. */
export function opus({ seconds = 3, head = 'OpusHead' } = {}): Buffer {
  const id = Buffer.alloc(19)
  id.write(head, 0, 'latin1')
  id.writeUInt8(1, 8)
  id.writeUInt8(1, 9)
  id.writeUInt16LE(312, 10)
  id.writeUInt32LE(48_000, 12)
  const tags = Buffer.alloc(16)
  tags.write('OpusTags', 0, 'latin1')
  return Buffer.concat([
    oggPage(2, 0, 0, id),
    oggPage(0, 0, 1, tags),
    oggPage(0, 48_000, 2, sound(600)),
    oggPage(4, 48_000 * seconds + 312, 3, sound(80)),
  ])
}

/** What is no recording, or is none any more. */
export const WRONG_MEDIA: Record<string, Buffer> = {
  'an empty file': Buffer.alloc(0),
  'one byte': Buffer.from('R'),
  'a ZIP archive': Buffer.concat([Buffer.from('PK\x03\x04'), sound(500)]),
  'a page': Buffer.from('<!doctype html><script>alert(1)</script>'),
  'a page that begins like RIFF': Buffer.from(
    'RIFF\x24\x00\x00\x00WAVE<html><script>alert(1)</script></html>',
  ),
  'a page in a RIFF of the right size': riff([Buffer.from('<html><script>alert(1)</script> </html>')]),
  MP3: Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), sound(1_000)]),
  'MP3 with ID3': Buffer.concat([Buffer.from('ID3\x03\x00\x00\x00\x00\x00\x0a'), sound(1_000)]),
  'MP3 in WAV': wav({ format: 0x55, bits: 8 }),
  'GSM in WAV': wav({ format: 0x31, bits: 8 }),
  FLAC: Buffer.concat([Buffer.from('fLaC\x00\x00\x00\x22'), sound(500)]),
  AVI: riff([fmtChunk(), chunk('data', sound(100))], { form: 'AVI ' }),
  'RIFF that says it is longer': riff([fmtChunk(), chunk('data', sound(100))], { size: 10_000 }),
  'RIFF that says it is shorter': riff([fmtChunk(), chunk('data', sound(100))], { size: 100 }),
  'RIFF that ends with its header': riff([]),
  'WAV with an archive behind it': Buffer.concat([wav(), Buffer.from('PK\x05\x06'), Buffer.alloc(18)]),
  'WAV whose sound says it is longer': riff([fmtChunk(), chunk('data', sound(100), 4_000_000_000)]),
  'WAV without sound': riff([fmtChunk()]),
  'WAV without a format': riff([chunk('data', sound(100))]),
  'WAV with two formats': riff([fmtChunk(), fmtChunk({ rate: 16_000 }), chunk('data', sound(100))]),
  'WAV of no samples': riff([fmtChunk(), chunk('data', Buffer.alloc(0))]),
  'WAV at 0 samples a second': riff([fmtChunk({ rate: 0 }), chunk('data', sound(100))]),
  'WAV cut in the middle': wav().subarray(0, 9_000),
  'WAV that lacks its last byte': wav().subarray(0, -1),
  'Ogg Vorbis': opus({ head: '\x01vorbis\x00' }),
  'Ogg of nothing we know': opus({ head: 'Speex   ' }),
  'Ogg cut in a page': opus().subarray(0, 300),
  'Ogg with a page behind it': Buffer.concat([opus(), Buffer.from('<html></html>')]),
  'two Ogg files in one': Buffer.concat([opus(), opus()]),
}
