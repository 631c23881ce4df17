import { readdirSync, readFileSync } from 'node:fs'
import { createPasswords, type Passwords } from '../../src/lib/passwords.ts'

let passwords: Passwords
beforeEach(() => {
  passwords = createPasswords()
})
afterEach(() => passwords.close())

test('a password matches its hash and no other', async () => {
  const hash = await passwords.hash('correct horse')
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect(await passwords.matches('correct horse', hash)).toBe(true)
  expect(await passwords.matches('correct horsE', hash)).toBe(false)
  expect(await passwords.hash('correct horse')).not.toBe(hash)
})

test('nothing matches where there is no hash', async () => {
  expect(await passwords.matches('', undefined)).toBe(false)
  expect(await passwords.matches('correct horse', undefined)).toBe(false)
})

test('a hash that is none is a fault of ours, and the next password is checked all the same', async () => {
  await expect(passwords.matches('x', 'no hash')).rejects.toThrow()
  expect(await passwords.matches('x', await passwords.hash('x'))).toBe(true)
})

test('who comes when fifty wait is asked to come again, and the others are served', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 60 }, () => passwords.hash('x')))
  const refused = outcomes.filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(60 - 52)
  for (const { reason } of refused as PromiseRejectedResult[]) {
    expect(reason).toMatchObject({ code: 'rate_limited', status: 429 })
  }
})

/** The priorities of all threads of this process, of which other tests may have left some. */
const priorities = () =>
  readdirSync('/proc/self/task').map((task) => {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8')
    // Field 19 of proc_pid_stat(5), counted from after the name in brackets, which may hold spaces.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
  })
const lowest = () => priorities().filter((value) => value === 19).length

test('on Linux, hashing gives way to everything else in the process', async () => {
  if (process.platform !== 'linux') return
  const before = lowest()
  await Promise.all([passwords.hash('x'), passwords.hash('x')])
  expect(lowest() - before).toBe(2)
  expect(priorities()).toContain(0)
})
