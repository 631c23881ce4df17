import { openDatabase } from '../../src/db/database.ts'
import { cloneDatabase } from '../support/databases.ts'
import { recordedLogger } from '../support/recorded-logger.ts'

const SECRET = 'the-token-of-somebody'

/** What is logged of `thrown`, and how many characters that takes. */
function logged(thrown: unknown) {
  const { lines, logger } = recordedLogger()
  logger.warn({ err: thrown }, 'it went wrong')
  const [line = ''] = lines
  return { line, err: JSON.parse(line).err }
}

test('an error of the database is logged without the values of its query, and shortly', async () => {
  await using database = await cloneDatabase()
  const db = openDatabase(database.url, { poolSize: 1 })
  await using _closed = { [Symbol.asyncDispose]: () => db.destroy() }
  const values = [SECRET, 'x'.repeat(300_000)]
  const ask = (sql: string) => db.raw(sql, values).then(undefined, (error: unknown) => error)

  const refused = await ask('SELECT CAST(? AS uuid), CAST(? AS text)')
  const busy = await db.transaction()
  const late = await ask('SELECT CAST(? AS text), CAST(? AS text)')
  await busy.rollback()

  expect(late).toMatchObject({ name: 'KnexTimeoutError', bindings: values })
  for (const error of [refused, late]) {
    const { line, err } = logged(Object.assign(error as Error, { sealed: SECRET }))
    expect(err).toMatchObject({
      type: expect.any(String),
      message: expect.any(String),
      stack: expect.any(String),
    })
    expect(line.length).toBeLessThan(8_000)
    expect(line).not.toContain('xxxx')
  }
  expect(logged(late).line).not.toContain(SECRET)
})

test('an error is logged with its code and what caused it; whatever else was thrown, too', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', port: 5432 })
  expect(logged(new TypeError('no store', { cause })).err).toEqual({
    ...{ type: 'TypeError', message: 'no store', stack: expect.stringContaining('log.test') },
    cause: {
      type: 'Error',
      message: 'connect ECONNREFUSED',
      code: 'ECONNREFUSED',
      stack: expect.any(String),
    },
  })
  expect(logged({ name: 'TimedOut', message: 'too late' }).err).toEqual({
    type: 'TimedOut',
    message: 'too late',
  })
  expect(logged('a word').err).toMatchObject({ type: 'Error', message: 'thrown: a word' })
})

test('errors that are each other’s cause come to an end', () => {
  const error = new Error('first')
  error.cause = new Error('second', { cause: error })
  expect(logged(error).line.match(/first/g)?.length).toBeGreaterThan(1)
})
