import fc from 'fast-check'
import { StartError } from '../../src/lib/start-error.ts'
import { CSV_COLUMNS, readExtensionCsv } from '../../src/pbx/extension-csv.ts'

/** What a file of extensions says, line by line. */
const cell = (text: string) => `"${text.replaceAll('"', '""')}"`

test('what is written is what is read, whatever characters it has', () => {
  const text = (max: number) => fc.string({ unit: 'grapheme', minLength: 1, maxLength: max })
  const row = fc.record({
    number: text(10).filter((value) => value.trim() !== ''),
    name: text(20),
    password: fc.string({ minLength: 8, maxLength: 40 }),
    dnd: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.uniqueArray(row, { selector: ({ number }) => number.trim(), minLength: 1 }), (rows) => {
      const lines = rows.map(({ number, name, password, dnd }) =>
        [cell(number), cell(name), cell(password), String(dnd)].join(','),
      )
      const read = readExtensionCsv(['number,name,password,dnd', ...lines].join('\n'))
      expect(read.map(({ extension }) => extension)).toEqual(
        rows.map(({ number, name, password, dnd }) => ({
          ...{ number: number.trim(), email: undefined, password, dnd },
          name: name.trim() === '' ? undefined : name.trim(),
        })),
      )
    }),
  )
})

test('no file ends in anything but lines or one sentence, and the sentence repeats nothing of the file', () => {
  const head = fc.shuffledSubarray([...CSV_COLUMNS, 'other', '"'])
  const body = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom('"', ',', '\n', 'a', '\r', '\0')).map((all) => all.join('')),
  )
  fc.assert(
    fc.property(head, body, (columns, rest) => {
      try {
        for (const { extension, refused } of readExtensionCsv(`${columns.join()}\n${rest}`)) {
          expect(extension === undefined).toBe(refused !== undefined)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(StartError)
        expect((error as Error).message).toMatch(
          /^the file is no CSV: line (\d+|\?) \([A-Z_]+\)$|^the first line must name the columns, /,
        )
      }
    }),
    { numRuns: 1_000 },
  )
})
