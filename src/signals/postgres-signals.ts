import type { Pool, PoolClient } from 'pg'
import { createBatcher } from '../lib/batcher.ts'
import { createChannels } from './channels.ts'
import type { PostgresListener } from './postgres-listener.ts'
import type { Signal, SignalListener, Signals, Subscription } from './signals.ts'

/** Values longer than this travel by key only: a NOTIFY payload holds less than 8000 bytes. */
const MAX_MESSAGE_BYTES = 7_500

/** The same as Redis, on an unlogged table: what it holds is worthless after a crash of the database. */
export function createPostgresSignals(pool: Pool, listener: PostgresListener): Signals {
  const channels = createChannels()
  listener.onMessage((message) => {
    const [channel = '', key = '', ...value] = message.split('\n')
    channels.tell(channel, key, value.length > 0 ? value.join('\n') : undefined)
  })

  const puts = createBatcher((signals: Signal[]) => writeAll(pool, signals), { size: 200, parallel: 2 })
  const firsts = createBatcher((signals: Signal[]) => writeFirst(pool, signals), { size: 200, parallel: 2 })
  const gets = createBatcher((keys: string[]) => readAll(pool, keys), { size: 1_000, parallel: 2 })
  const claims = createBatcher((asked: Claim[]) => claimAll(pool, asked), { size: 200, parallel: 2 })

  return {
    put: (signal) => puts.add(signal),
    putFirst: (signal) => firsts.add(signal),
    claim: (key, value, ttlMs) => claims.add({ key, value, ttlMs }),
    get: (keys) => Promise.all(keys.map((key) => gets.add(key))),

    subscribe(channel: string, wanted: SignalListener): Subscription {
      channels.add(channel, wanted)
      return { ready: listener.ready(), close: () => void channels.remove(channel, wanted) }
    },

    async sweep() {
      await pool.query('DELETE FROM signals WHERE expires_at <= now()')
    },

    async ping() {
      await pool.query('SELECT 1')
    },

    async close() {
      await listener.close()
      await pool.end()
    },
  }
}

type Claim = { key: string; value: string; ttlMs: number }

async function writeAll(pool: Pool, signals: Signal[]): Promise<undefined[]> {
  // One statement may write a row only once: the last value of a key wins. Sorted, so that two batches cannot deadlock.
  const last = [...new Map(signals.map((signal) => [signal.key, signal])).values()]
  last.sort((a, b) => (a.key < b.key ? -1 : 1))
  const messages = signals.filter(({ channel }) => channel !== undefined).map(toMessage)
  await pool.query({
    name: 'signals-put',
    text: `WITH written AS (
        INSERT INTO signals (key, value, expires_at)
        SELECT t.key, t.value, now() + t.ttl_ms * interval '1 millisecond'
        FROM unnest($1::text[], $2::text[], $3::float8[]) AS t (key, value, ttl_ms)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
      )
      SELECT pg_notify('wakeline_signals', m) FROM unnest($4::text[]) AS m`,
    values: [last.map((s) => s.key), last.map((s) => s.value), last.map((s) => s.ttlMs), messages],
  })
  return signals.map(() => undefined)
}

/** Tells of a value in the statement that stores it, so that nobody hears of one that came second. */
async function writeFirst(pool: Pool, signals: Signal[]): Promise<boolean[]> {
  const first = new Map<string, Signal>()
  for (const signal of signals) if (!first.has(signal.key)) first.set(signal.key, signal)
  const asked = [...first.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  const { rows } = await pool.query<{ key: string }>({
    name: 'signals-put-first',
    text: `WITH written AS (
        INSERT INTO signals (key, value, expires_at)
        SELECT t.key, t.value, now() + t.ttl_ms * interval '1 millisecond'
        FROM unnest($1::text[], $2::text[], $3::float8[]) AS t (key, value, ttl_ms)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
        WHERE signals.expires_at <= now()
        RETURNING key
      )
      SELECT key, CASE WHEN message <> '' THEN pg_notify('wakeline_signals', message) END
      FROM written JOIN unnest($1::text[], $4::text[]) AS told (key, message) USING (key)`,
    values: [
      asked.map((s) => s.key),
      asked.map((s) => s.value),
      asked.map((s) => s.ttlMs),
      asked.map((s) => (s.channel === undefined ? '' : toMessage(s))),
    ],
  })
  const written = new Set(rows.map(({ key }) => key))
  return signals.map((signal) => written.has(signal.key) && first.get(signal.key) === signal)
}

function toMessage({ channel, key, value }: Signal): string {
  const whole = `${channel}\n${key}\n${value}`
  return Buffer.byteLength(whole) <= MAX_MESSAGE_BYTES ? whole : `${channel}\n${key}`
}

async function readAll(pool: Pool, keys: string[]): Promise<(string | undefined)[]> {
  const { rows } = await pool.query<{ key: string; value: string }>({
    name: 'signals-get',
    text: 'SELECT key, value FROM signals WHERE key = ANY($1::text[]) AND expires_at > now()',
    values: [keys],
  })
  const values = new Map(rows.map(({ key, value }) => [key, value]))
  return keys.map((key) => values.get(key))
}

async function claimAll(pool: Pool, asked: Claim[]): Promise<(string | undefined)[]> {
  const first = new Map<string, Claim>()
  for (const claim of asked) if (!first.has(claim.key)) first.set(claim.key, claim)
  const claims = [...first.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  const client = await pool.connect()
  try {
    const won = await takeFree(client, claims)
    const lost = claims.filter(({ key }) => !won.has(key)).map(({ key }) => key)
    const held = lost.length > 0 ? await holders(client, lost) : new Map<string, string>()
    return asked.map((claim) =>
      won.has(claim.key) && first.get(claim.key) === claim
        ? undefined
        : (held.get(claim.key) ?? first.get(claim.key)?.value ?? ''),
    )
  } finally {
    client.release()
  }
}

async function takeFree(client: PoolClient, claims: Claim[]): Promise<Set<string>> {
  const { rows } = await client.query<{ key: string }>({
    name: 'signals-claim',
    text: `INSERT INTO signals (key, value, expires_at)
      SELECT t.key, t.value, now() + t.ttl_ms * interval '1 millisecond'
      FROM unnest($1::text[], $2::text[], $3::float8[]) AS t (key, value, ttl_ms)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
      WHERE signals.expires_at <= now()
      RETURNING key`,
    values: [claims.map((c) => c.key), claims.map((c) => c.value), claims.map((c) => c.ttlMs)],
  })
  return new Set(rows.map(({ key }) => key))
}

async function holders(client: PoolClient, keys: string[]): Promise<Map<string, string>> {
  const { rows } = await client.query<{ key: string; value: string }>(
    'SELECT key, value FROM signals WHERE key = ANY($1::text[])',
    [keys],
  )
  // Gone in between: take it as still held, by nobody we can name.
  return new Map([...keys.map((key) => [key, ''] as const), ...rows.map((r) => [r.key, r.value] as const)])
}
