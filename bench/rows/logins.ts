import { Redis } from 'ioredis'
import { httpRequest } from '../load/http-request.ts'
import type { BenchOptions } from '../options.ts'
import { type ApiProcess, startApi } from '../stack/api-process.ts'
import type { Stack } from '../stack/start-stack.ts'
import { runLoad } from '../stack/task.ts'
import type { Row } from './measurement.ts'

const PEOPLE = 100
const PASSWORD = 'correct-horse-battery-staple'
/** Half of what the calls of row a are: the attack needs processors, too. */
const CALLS_PER_SECOND = 200
const ATTACKERS = 100

/** Row i: logins of the app, what each of its requests pays for being asked who it is, and what an attack does to calls. */
export const logins: Row = async (stack, options, run) => {
  await unlock(stack)
  const extensions = await givenPeople(stack, run)
  const { people, token } = await rate(stack, options, run, extensions)
  const me = await requestsOf(stack, options, { extension: extensions[0] ?? '', token })
  const attack = await attacked(stack, options, run)

  return {
    measurements: [
      {
        id: 'logins-per-second',
        label: 'logins, 20 people at a time',
        unit: '/s',
        value: people.perSecond,
      },
      { id: 'logins-p99', label: 'the same, p99', unit: 'ms', value: people.answerMs.p99 },
      {
        id: 'app-requests-per-second',
        label: '/api/v1/app/me, 100 callers',
        unit: '/s',
        value: me.own.perSecond,
        floor: me.floor.perSecond,
      },
      { id: 'app-requests-failed', label: 'answers that were no', unit: '', value: me.own.failed },
      { id: 'attack-quiet-p99', label: 'calls, no attack, p99', unit: 'ms', value: attack.quiet.p99 },
      {
        id: 'attack-loaded-p99',
        label: `calls, ${ATTACKERS} guess passwords, p99`,
        unit: 'ms',
        value: attack.loaded.p99,
        floor: attack.quiet.p99,
      },
      {
        id: 'attack-change',
        label: 'calls, attacked against not, p99',
        unit: '%',
        value: (attack.loaded.p99 / attack.quiet.p99 - 1) * 100,
      },
      { id: 'attack-quiet-p50', label: 'calls, no attack, p50', unit: 'ms', value: attack.quiet.p50 },
      { id: 'attack-loaded-p50', label: 'the same, attacked, p50', unit: 'ms', value: attack.loaded.p50 },
      {
        id: 'attack-failed',
        label: 'calls without success',
        unit: '',
        value: attack.quiet.failed + attack.loaded.failed,
      },
      { id: 'attack-guesses', label: 'guesses answered a second', unit: '/s', value: attack.guesses },
    ],
    details: { people, me, attack },
  }
}

async function givenPeople({ port, tenant }: Stack, run: number): Promise<string[]> {
  const extensions = Array.from({ length: PEOPLE }, (_, i) => `i${run}-${i}`)
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/pbx/extensions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.pbxKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(extensions.map((number) => ({ number, password: PASSWORD }))),
  })
  if (!response.ok) throw new Error(`the extensions were refused: ${await response.text()}`)
  return extensions
}

/** An attack locks logins for a quarter of an hour, and the run before was one. */
async function unlock({ redis }: Stack): Promise<void> {
  const client = new Redis(redis.url)
  const keys = await client.keys('*:limits:app-*')
  if (keys.length > 0) await client.del(...keys)
  client.disconnect()
}

/** Without the limit per address: all of them sit behind one. */
async function rate(stack: Stack, { quick }: BenchOptions, run: number, extensions: readonly string[]) {
  const env = { ...stack.env, RATE_LIMITS: 'off' }
  await using api = await startApi({ env, log: stack.logOf(`api-logins-${run}`) })
  const people = await runLoad('logins', {
    ...{ port: api.port, extensions, password: PASSWORD, fromEverywhere: false, callers: 20 },
    warmUpMs: quick ? 500 : 2_000,
    measureMs: quick ? 2_000 : 8_000,
  })
  return { people, token: await logIn(api, extensions[0] ?? '') }
}

async function logIn({ port }: ApiProcess, extension: string): Promise<string> {
  const login = await fetch(`http://127.0.0.1:${port}/api/v1/app/auth`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ extension, sip_password: PASSWORD }),
  })
  const text = await login.text()
  if (!login.ok) throw new Error(`the login was refused: ${text}`)
  return (JSON.parse(text) as { data: { token: string } }).data.token
}

async function requestsOf(
  { port }: Stack,
  { quick }: BenchOptions,
  { extension, token }: { extension: string; token: string },
) {
  const headers = { authorization: `Bearer ${token}` }
  const load = (request: string, expected: string) =>
    runLoad('closedLoopRequests', {
      ...{ port, request, expected, callers: 100 },
      warmUpMs: quick ? 500 : 2_000,
      measureMs: quick ? 2_000 : 6_000,
    })
  return {
    own: await load(httpRequest('GET', '/api/v1/app/me', { headers }), extension),
    floor: await load(httpRequest('GET', '/healthz'), 'ok'),
  }
}

/** Guesses at a thousand extensions from as many addresses as there are: no limit of one of them stops it. */
async function attacked(stack: Stack, options: BenchOptions, run: number) {
  const env = { ...stack.env, TRUST_PROXY_HOPS: '1' }
  await using api = await startApi({ env, log: stack.logOf(`api-attacked-${run}`) })
  const quiet = await calls(stack, api, options, `i${run}q`)
  const guessing = runLoad('logins', {
    port: api.port,
    extensions: Array.from({ length: 1_000 }, (_, i) => `nobody-${i}`),
    password: 'a guess',
    fromEverywhere: true,
    callers: ATTACKERS,
    warmUpMs: 0,
    // As long as the calls.
    measureMs: options.quick ? 5_000 : 20_000,
  })
  const loaded = await calls(stack, api, options, `i${run}a`)
  const { statuses } = await guessing
  const guesses = Object.values(statuses).reduce((sum, count) => sum + count, 0)
  return { quiet, loaded, statuses, guesses: guesses / (options.quick ? 5 : 20) }
}

async function calls(
  { recorder, tenant }: Stack,
  { port }: ApiProcess,
  { quick }: BenchOptions,
  tag: string,
) {
  await recorder.reset()
  const load = await runLoad('pacedPushes', {
    ...{ port, licenseKey: tenant.licenseKey, tag, perSecond: CALLS_PER_SECOND },
    warmUpMs: quick ? 1_500 : 4_000,
    measureMs: quick ? 3_000 : 12_000,
  })
  const { latency } = await recorder.report()
  return { ...latency, failed: load.failed }
}
