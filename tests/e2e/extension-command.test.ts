import { randomBytes } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase } from '../../src/db/database.ts'
import { createExtensionStore } from '../../src/devices/extension-store.ts'
import { newId } from '../../src/lib/ids.ts'
import { createPasswords } from '../../src/lib/passwords.ts'
import { createReleaser } from '../../src/lib/releaser.ts'
import { cloneDatabase } from '../support/databases.ts'
import { runCli } from '../support/run-cli.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** `wakeline extension`, as an operator runs it. */
async function openCustomer() {
  const releaser = createReleaser()
  const database = releaser.add(await cloneDatabase(), (open) => open.drop())
  const directory = releaser.add(await temporaryDirectory(), (open) => open.remove())
  const db = releaser.add(openDatabase(database.url), (open) => open.destroy())
  const tenantId = newId()
  await db('tenants').insert({ id: tenantId, name: 'test' })
  await db('licenses').insert({ id: newId(), tenant_id: tenantId, tier: 'custom', max_extensions: 3 })
  const env = { DATABASE_URL: database.url, WAKELINE_SECRET: randomBytes(32).toString('hex') }
  const run = (...words: string[]) => runCli(['extension', ...words], env)
  const file = (name: string) => join(directory.path, name)
  return {
    db,
    tenantId,
    run,
    file,
    hashes: (...numbers: string[]) => createExtensionStore(db).passwordHashes(tenantId, numbers),
    async import(csv: string, ...options: string[]) {
      await writeFile(file('in.csv'), csv)
      const done = await run('import', '--tenant', tenantId, '--csv', file('in.csv'), '--json', ...options)
      return { ...done, json: done.stdout === '' ? undefined : JSON.parse(done.stdout) }
    },
    [Symbol.asyncDispose]: () => releaser.release(),
  }
}

test('imports line by line, and the same file again changes nothing', async () => {
  await using customer = await openCustomer()
  const csv = [
    '\ufeffnumber,name,email,password,dnd',
    '100,"Lovelace, Ada",ada@example.com,generate,yes',
    '200,Bob,,hunter2hunter2,',
    '100,Twice,,,',
    '300,Cy,not an address,,',
    ',Nobody,,,',
    '400,Dee,,short,',
    '500,Eve,,,maybe',
    '',
    '600,Fay,,,no',
    '700,Gus,,,',
  ].join('\r\n')
  const { json, code, stdout, stderr } = await customer.import(csv, '--passwords', customer.file('made.csv'))
  expect(code).toBe(1)
  expect(json).toEqual({
    ...{ dry_run: false, created: 3, updated: 0, unchanged: 0, refused: 6 },
    lines: [
      { line: 2, number: '100', status: 'created' },
      { line: 3, number: '200', status: 'created' },
      { line: 4, number: '100', status: 'refused', reason: 'number is in line 2 already' },
      { line: 5, number: '300', status: 'refused', reason: 'email must be an address like ada@example.com' },
      { line: 6, number: '', status: 'refused', reason: expect.stringContaining('number') },
      { line: 7, number: '400', status: 'refused', reason: 'password must have at least 8 characters' },
      { line: 8, number: '500', status: 'refused', reason: 'dnd must be true or false' },
      { line: 10, number: '600', status: 'created' },
      {
        line: 11,
        number: '700',
        status: 'refused',
        reason: 'the licence has no room for another extension (3 of 3)',
      },
    ],
  })
  const made = await readFile(customer.file('made.csv'), 'utf8')
  const [, password = ''] = /^number,password\n100,([\w-]{24})\n$/.exec(made) ?? []
  expect((await stat(customer.file('made.csv'))).mode & 0o777).toBe(0o600)
  const hashes = await customer.hashes('100', '200', '600')
  expect([...hashes.keys()]).toEqual(['100', '200'])
  expect(await createPasswords().matches(password, hashes.get('100'))).toBe(true)
  expect(await createPasswords().matches('hunter2hunter2', hashes.get('200'))).toBe(true)
  for (const text of [stdout, stderr]) expect(text).not.toMatch(new RegExp(`${password}|hunter2|short`))

  const again = await customer.import(csv, '--passwords', customer.file('again.csv'))
  expect(again.json).toMatchObject({ created: 0, updated: 0, unchanged: 3, refused: 6 })
  expect(await readFile(customer.file('again.csv'), 'utf8')).toBe('number,password\n')
  expect(await customer.hashes('100', '200', '600')).toEqual(hashes)

  const list = await customer.run('list', '--tenant', customer.tenantId)
  expect(list.stdout).toBe(
    [
      'NUMBER  NAME           EMAIL            DND  PASSWORD',
      '100     Lovelace, Ada  ada@example.com  on   set',
      '200     Bob                                  set',
      '600     Fay                                  none',
      '',
    ].join('\n'),
  )
})

test('a dry run says the same and does nothing', async () => {
  await using customer = await openCustomer()
  const csv = 'number,password\n100,generate\n200,hunter2hunter2\n300,\n400,\n'
  const dry = await customer.import(csv, '--dry-run')
  expect(dry).toMatchObject({ code: 1, json: { dry_run: true, created: 3, refused: 1 } })
  expect(await customer.db('extensions')).toEqual([])
  const real = await customer.import(csv, '--passwords', customer.file('made.csv'))
  expect(real.json.lines).toEqual(dry.json.lines)
  expect(await customer.db('extensions')).toHaveLength(3)
})

test('what is wrong with the whole is one sentence, and nothing is done', async () => {
  await using customer = await openCustomer()
  const head =
    'wakeline: the first line must name the columns, of number,name,email,password,dnd, each once, and number must be there\n'
  for (const csv of ['name\nAda\n', 'number,number\n1,2\n', 'number,role\n1,admin\n']) {
    expect(await customer.import(csv)).toMatchObject({ code: 1, stdout: '', stderr: head })
  }
  const cut = await customer.import('number,password\n100,"secret-secret\n')
  expect(cut).toMatchObject({ code: 1, stdout: '' })
  expect(cut.stderr).toMatch(/^wakeline: the file is no CSV: line \d+ \(CSV_QUOTE_NOT_CLOSED\)\n$/)
  expect((await customer.import('number\n1,2\n')).stderr).toContain('the file is no CSV')

  const generate = 'number,password\n100,generate\n'
  expect((await customer.import(generate)).stderr).toContain(
    'name a new file for the passwords with --passwords',
  )
  await writeFile(customer.file('old.csv'), 'precious')
  const kept = await customer.import(generate, '--passwords', customer.file('old.csv'))
  expect(kept.stderr).toContain('cannot be made (EEXIST)')
  expect(await readFile(customer.file('old.csv'), 'utf8')).toBe('precious')

  expect((await customer.run('list', '--tenant', newId())).stderr).toContain('there is no tenant')
  expect((await customer.run('list', '--tenant', 'x')).stderr).toContain('It must be the id of a tenant.')
  const missing = await customer.run(
    'import',
    '--tenant',
    customer.tenantId,
    '--csv',
    customer.file('none.csv'),
  )
  expect(missing.stderr).toContain('cannot be read (ENOENT)')
  expect(await customer.db('extensions')).toEqual([])
})

test('a password that is made is on the disk before it is anybody’s', async () => {
  await using customer = await openCustomer()
  const { db, file } = customer
  await db.raw(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON extensions DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION refuse()`)
  const csv = 'number,password\n100,generate\n'
  const { code } = await customer.import(csv, '--passwords', file('made.csv'))
  expect(code).not.toBe(0)
  expect((await customer.hashes('100')).size).toBe(0)
  expect(await readFile(file('made.csv'), 'utf8')).toMatch(/^number,password\n100,[\w-]{24}\n$/)
})
