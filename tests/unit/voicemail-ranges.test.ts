import { selectBytes } from '../../src/http/byte-range.ts'

/** RFC 9110 section 14, for a file of 1,000 bytes. */
const file = { size: 1_000, etag: '"abc"', lastModified: new Date('2026-11-21T10:00:00Z') }
const select = (headers: Record<string, string>, method = 'GET') => selectBytes(method, headers, file)
const part = (start: number, end: number) => ({ status: 206, start, end })
const whole = { status: 200 }

test.each([
  ['the first two bytes, as iOS begins', 'bytes=0-1', part(0, 1)],
  ['one byte', 'bytes=0-0', part(0, 0)],
  ['the last byte', 'bytes=999-999', part(999, 999)],
  ['from the middle to the end', 'bytes=500-', part(500, 999)],
  ['from the beginning', 'bytes=0-', part(0, 999)],
  ['all of it by its bounds', 'bytes=0-999', part(0, 999)],
  ['an end beyond the file', 'bytes=990-5000', part(990, 999)],
  ['an end beyond any number', 'bytes=990-99999999999999999999', part(990, 999)],
  ['the last ten bytes', 'bytes=-10', part(990, 999)],
  ['the last byte as a suffix', 'bytes=-1', part(999, 999)],
  ['a suffix as long as the file', 'bytes=-1000', part(0, 999)],
  ['a suffix longer than the file', 'bytes=-5000', part(0, 999)],
  ['a suffix with zeros in front', 'bytes=-0010', part(990, 999)],
  ['a unit in capitals', 'BYTES=0-1', part(0, 1)],
  ['spaces around the range', 'bytes= 0-1 ', part(0, 1)],
  ['one of two that can be had', 'bytes=0-1,2000-', part(0, 1)],
  ['a start at the end of the file', 'bytes=1000-', { status: 416 }],
  ['a start beyond the file', 'bytes=5000-6000', { status: 416 }],
  ['a suffix of nothing', 'bytes=-0', { status: 416 }],
  ['an end before the start', 'bytes=5-2', { status: 416 }],
  ['several, none of which can be had', 'bytes=1000-,2000-', { status: 416 }],
  ['several ranges', 'bytes=0-1,5-6', whole],
  ['a hundred ranges', `bytes=${Array(100).fill('0-').join(',')}`, whole],
  ['another unit', 'items=0-1', whole],
  ['another unit that cannot be had', 'items=5000-', whole],
  ['no unit', '0-1', whole],
  ['no range', 'bytes=', whole],
  ['no number', 'bytes=a-b', whole],
  ['only a dash', 'bytes=-', whole],
  ['a negative number', 'bytes=--5', whole],
  ['a fraction', 'bytes=0.5-1', whole],
  ['hex', 'bytes=0x0-0x1', whole],
  ['an empty header', '', whole],
])('%s: %s', (_name, range, expected) => {
  expect(select({ range })).toEqual(expected)
})

test.each([
  ['the same tag', '"abc"', part(0, 1)],
  ['another tag', '"abd"', whole],
  ['the same tag, but weak', 'W/"abc"', whole],
  ['the same time', 'Sat, 21 Nov 2026 10:00:00 GMT', part(0, 1)],
  ['an earlier time', 'Sat, 21 Nov 2026 09:59:59 GMT', whole],
  ['a later time', 'Sat, 21 Nov 2026 10:00:01 GMT', whole],
  ['no time', 'yesterday', whole],
])('If-Range with %s', (_name, ifRange, expected) => {
  expect(select({ range: 'bytes=0-1', 'if-range': ifRange })).toEqual(expected)
})

test('If-Range alone changes nothing', () => {
  expect(select({ 'if-range': '"abd"' })).toEqual(whole)
})

test.each([
  ['the tag', { 'if-none-match': '"abc"' }, 304],
  ['the weak tag', { 'if-none-match': 'W/"abc"' }, 304],
  ['the tag among others', { 'if-none-match': '"x", "abc"' }, 304],
  ['any tag', { 'if-none-match': '*' }, 304],
  ['another tag', { 'if-none-match': '"x"' }, 200],
  ['the tag and a range', { 'if-none-match': '"abc"', range: 'bytes=0-1' }, 304],
  ['another tag and a range', { 'if-none-match': '"x"', range: 'bytes=0-1' }, 206],
  ['the time', { 'if-modified-since': 'Sat, 21 Nov 2026 10:00:00 GMT' }, 304],
  ['a time before', { 'if-modified-since': 'Sat, 21 Nov 2026 09:00:00 GMT' }, 200],
  ['no time', { 'if-modified-since': 'then' }, 200],
  // Section 13.1.3: the tag is the better one.
  [
    'another tag and the time',
    { 'if-none-match': '"x"', 'if-modified-since': 'Sat, 21 Nov 2026 10:00:00 GMT' },
    200,
  ],
])('what the client has, by %s', (_name, headers, status) => {
  expect(select(headers).status).toBe(status)
})

test('HEAD has no ranges', () => {
  expect(select({ range: 'bytes=0-1' }, 'HEAD')).toEqual(whole)
  expect(select({ range: 'bytes=5000-' }, 'HEAD')).toEqual(whole)
  expect(select({ 'if-none-match': '"abc"' }, 'HEAD')).toEqual({ status: 304 })
})
