import type { Knex } from 'knex'

/**
 * The push log in partitions of a day, so that what is too old goes with one DROP TABLE and no index grows for ever. Whoever
 * makes the days ahead may be late: then rows go to the default partition, and no push waits for it.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE push_logs RENAME TO push_logs_before;
    ALTER TABLE push_logs_before RENAME CONSTRAINT push_logs_pkey TO push_logs_before_pkey;
    DROP INDEX push_logs_call_idx, push_logs_tenant_accepted_idx, push_logs_open_idx;

    CREATE TABLE push_logs (
      id uuid NOT NULL,
      tenant_id uuid NOT NULL,
      license_id uuid,
      -- "C": names are no words of a language, and its order would make their indexes slow.
      kind text COLLATE "C" NOT NULL,
      provider text NOT NULL,
      environment text NOT NULL,
      app_id text NOT NULL,
      token_hash text NOT NULL,
      device_id uuid,
      extension text COLLATE "C",
      call_id text COLLATE "C",
      state text COLLATE "C" NOT NULL CHECK (state IN
        ('queued', 'sending', 'delivered', 'token_dead', 'rejected', 'expired', 'failed')),
      token_state text NOT NULL DEFAULT 'valid' CHECK (token_state IN ('valid', 'quarantined', 'dead')),
      attempts smallint NOT NULL DEFAULT 0,
      provider_id text,
      provider_status smallint,
      reason text,
      detail text,
      accepted_at timestamptz NOT NULL,
      started_at timestamptz,
      sent_at timestamptz,
      answered_at timestamptz,
      closed_at timestamptz,
      expires_at timestamptz NOT NULL,
      PRIMARY KEY (id, accepted_at)
    ) PARTITION BY RANGE (accepted_at);
    CREATE TABLE push_logs_default PARTITION OF push_logs DEFAULT;

    -- The searches of operators, newest first: by call, extension, token, tenant, licence, trouble, kind, time. Indexes are
    -- more than half of what a row costs PostgreSQL, so there is none that another can stand in for. The last columns narrow
    -- a search before any row is read.
    CREATE INDEX push_logs_call_idx ON push_logs (call_id) WHERE call_id IS NOT NULL;
    CREATE INDEX push_logs_extension_idx ON push_logs (extension, accepted_at, tenant_id) WHERE extension IS NOT NULL;
    -- Four bytes in place of 64; who searches compares the whole hash as well.
    CREATE INDEX push_logs_token_idx ON push_logs (hashtext(token_hash));
    -- A licence has one tenant, so this one finds both.
    CREATE INDEX push_logs_tenant_idx ON push_logs (tenant_id, accepted_at, license_id);
    -- Nearly all rows are delivered; who looks for those finds them by time.
    CREATE INDEX push_logs_trouble_idx ON push_logs (state, accepted_at, tenant_id) WHERE state <> 'delivered';
    CREATE INDEX push_logs_accepted_idx ON push_logs (accepted_at, kind);
    -- The sweep that closes what nobody else closed; holds open rows only, so it stays small.
    CREATE INDEX push_logs_open_idx ON push_logs (expires_at) WHERE closed_at IS NULL;

    INSERT INTO push_logs (id, tenant_id, license_id, kind, provider, environment, app_id, token_hash, device_id, extension,
      call_id, state, token_state, attempts, provider_id, reason, detail, accepted_at, started_at, sent_at, answered_at,
      closed_at, expires_at)
    SELECT id, tenant_id, license_id, kind, provider, environment, app_id, token_hash, device_id, extension,
      call_id, state, CASE state WHEN 'token_dead' THEN 'dead' ELSE 'valid' END, attempts, provider_id, reason, detail,
      accepted_at, started_at, sent_at, answered_at, closed_at, expires_at
    FROM push_logs_before;
    DROP TABLE push_logs_before;

    -- Every try that was not accepted; the accepted one is the push's own row, which saves most pushes a second one.
    CREATE TABLE push_attempts (
      push_id uuid NOT NULL,
      accepted_at timestamptz NOT NULL,
      number smallint NOT NULL,
      environment text NOT NULL,
      sent_at timestamptz NOT NULL,
      answered_at timestamptz NOT NULL,
      outcome text NOT NULL,
      class text NOT NULL,
      provider_status smallint,
      reason text NOT NULL,
      PRIMARY KEY (push_id, accepted_at, number, environment)
    ) PARTITION BY RANGE (accepted_at);
    CREATE TABLE push_attempts_default PARTITION OF push_attempts DEFAULT;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TABLE push_attempts;
    ALTER TABLE push_logs RENAME TO push_logs_by_day;
    ALTER INDEX push_logs_pkey RENAME TO push_logs_by_day_pkey;
    DROP INDEX push_logs_call_idx, push_logs_tenant_idx, push_logs_open_idx;

    CREATE TABLE push_logs (
      id uuid PRIMARY KEY,
      tenant_id uuid NOT NULL,
      license_id uuid,
      kind text NOT NULL,
      provider text NOT NULL,
      environment text NOT NULL,
      app_id text NOT NULL,
      token_hash text NOT NULL,
      device_id uuid,
      extension text,
      call_id text NOT NULL,
      state text NOT NULL CHECK (state IN
        ('queued', 'sending', 'delivered', 'token_dead', 'rejected', 'expired', 'failed')),
      attempts smallint NOT NULL DEFAULT 0,
      provider_id text,
      reason text,
      detail text,
      accepted_at timestamptz NOT NULL,
      started_at timestamptz,
      sent_at timestamptz,
      answered_at timestamptz,
      closed_at timestamptz,
      expires_at timestamptz NOT NULL
    );
    CREATE INDEX push_logs_call_idx ON push_logs (tenant_id, call_id);
    CREATE INDEX push_logs_tenant_accepted_idx ON push_logs (tenant_id, accepted_at DESC);
    CREATE INDEX push_logs_open_idx ON push_logs (expires_at) WHERE closed_at IS NULL;

    -- With days an id may come back, as an idempotency key does after its time; without, the newest stays.
    INSERT INTO push_logs
    SELECT DISTINCT ON (id) id, tenant_id, license_id, kind, provider, environment, app_id, token_hash, device_id, extension,
      coalesce(call_id, ''), state, attempts, provider_id, reason, detail, accepted_at, started_at, sent_at, answered_at,
      closed_at, expires_at
    FROM push_logs_by_day ORDER BY id, accepted_at DESC;
    DROP TABLE push_logs_by_day;
  `)
}
