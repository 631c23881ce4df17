import type { Knex } from 'knex'

/** What a licence allows and what becomes of it, who uses it where, and how much. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- A licence has a second key for a while when its key is rotated.
    CREATE TABLE license_keys (
      id uuid PRIMARY KEY,
      license_id uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
      key_hash text NOT NULL UNIQUE,
      key_prefix text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      -- Set when a successor was made: the end of the overlap.
      expires_at timestamptz
    );
    CREATE INDEX license_keys_license_id_idx ON license_keys (license_id);
    -- Support looks a key up by its prefix.
    CREATE INDEX license_keys_prefix_idx ON license_keys (key_prefix);
    INSERT INTO license_keys (id, license_id, key_hash, key_prefix, created_at)
      SELECT gen_random_uuid(), id, key_hash, key_prefix, created_at FROM licenses;

    ALTER TABLE licenses
      DROP COLUMN key_hash,
      DROP COLUMN key_prefix,
      -- NULL: any number.
      ADD COLUMN max_installations integer,
      ADD COLUMN entitlements text[] NOT NULL DEFAULT '{}',
      -- Pushes a UTC day; NULL: as many as the size of the licence gives.
      ADD COLUMN calls_per_day integer,
      ADD COLUMN messages_per_day integer,
      ADD COLUMN suspended_at timestamptz,
      ADD COLUMN revoked_at timestamptz,
      ADD COLUMN notes text NOT NULL DEFAULT '',
      ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
    ALTER TABLE licenses ALTER COLUMN tier DROP DEFAULT, ALTER COLUMN max_extensions DROP DEFAULT;
    UPDATE licenses SET entitlements = '{calls,messages,webhooks,offline}';
    CREATE INDEX licenses_tenant_id_idx ON licenses (tenant_id);
    -- The list, newest first.
    CREATE INDEX licenses_created_at_idx ON licenses (created_at DESC, id DESC);

    -- A PBX that uses a licence. 'identity' is what makes it the same one: its fingerprint, or else its host name.
    CREATE TABLE installations (
      id uuid PRIMARY KEY,
      license_id uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
      identity text NOT NULL,
      hostname text NOT NULL,
      fingerprint text,
      version text NOT NULL DEFAULT '',
      activated_at timestamptz NOT NULL,
      last_seen_at timestamptz NOT NULL,
      -- It says its instance id when it pushes or beats, so pushes without one are not its own.
      identifies boolean NOT NULL DEFAULT false,
      deactivated_at timestamptz,
      deactivated_why text CHECK (deactivated_why IN ('released', 'forced', 'transferred', 'dead')),
      CHECK ((deactivated_at IS NULL) = (deactivated_why IS NULL))
    );
    CREATE UNIQUE INDEX installations_active_idx ON installations (license_id, identity) WHERE deactivated_at IS NULL;
    CREATE INDEX installations_license_id_idx ON installations (license_id, activated_at);
    -- The sweep that frees the seats of machines that are gone.
    CREATE INDEX installations_last_seen_idx ON installations (last_seen_at) WHERE deactivated_at IS NULL;

    -- What was done to a licence, by whom. Never changed, never deleted.
    CREATE TABLE license_events (
      id uuid PRIMARY KEY,
      license_id uuid NOT NULL,
      at timestamptz NOT NULL,
      action text NOT NULL,
      -- 'operator:<name>', 'shell', 'pbx' or 'system'.
      actor text NOT NULL,
      details jsonb NOT NULL DEFAULT '{}'
    );
    CREATE INDEX license_events_license_idx ON license_events (license_id, at DESC, id DESC);

    -- Pushes a licence asked for, by UTC day; nodes add to it every few seconds.
    CREATE TABLE license_usage (
      license_id uuid NOT NULL,
      day date NOT NULL,
      calls integer NOT NULL DEFAULT 0,
      messages integer NOT NULL DEFAULT 0,
      refused_calls integer NOT NULL DEFAULT 0,
      refused_messages integer NOT NULL DEFAULT 0,
      PRIMARY KEY (license_id, day)
    );

    -- Counters of the PostgreSQL backend (rate-limiter-flexible's layout); Redis holds them in a cluster.
    CREATE UNLOGGED TABLE rate_limits (
      key text PRIMARY KEY,
      points integer NOT NULL DEFAULT 0,
      expire bigint
    );
    CREATE INDEX rate_limits_expire_idx ON rate_limits (expire);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE licenses ADD COLUMN key_hash text, ADD COLUMN key_prefix text;
    UPDATE licenses SET key_hash = k.key_hash, key_prefix = k.key_prefix
      FROM (SELECT DISTINCT ON (license_id) license_id, key_hash, key_prefix FROM license_keys
            ORDER BY license_id, created_at DESC, id) AS k
      WHERE k.license_id = licenses.id;
    DELETE FROM licenses WHERE key_hash IS NULL;
    ALTER TABLE licenses
      ALTER COLUMN key_hash SET NOT NULL,
      ALTER COLUMN key_prefix SET NOT NULL,
      ADD UNIQUE (key_hash),
      ALTER COLUMN tier SET DEFAULT 'free',
      ALTER COLUMN max_extensions SET DEFAULT 5,
      DROP COLUMN max_installations, DROP COLUMN entitlements, DROP COLUMN calls_per_day, DROP COLUMN messages_per_day,
      DROP COLUMN suspended_at, DROP COLUMN revoked_at, DROP COLUMN notes, DROP COLUMN updated_at;
    DROP INDEX licenses_tenant_id_idx, licenses_created_at_idx;
    DROP TABLE rate_limits, license_usage, license_events, installations, license_keys;
  `)
}
