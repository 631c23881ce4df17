import type { Knex } from 'knex'

/** Who may use the gateway, whose phones it knows, and what became of each push. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE tenants (
      id uuid PRIMARY KEY,
      name text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    );

    -- Keys are stored as HMAC only; the prefix lets support name a key without knowing it.
    CREATE TABLE licenses (
      id uuid PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      key_hash text NOT NULL UNIQUE,
      key_prefix text NOT NULL,
      tier text NOT NULL DEFAULT 'free',
      max_extensions integer NOT NULL DEFAULT 5,
      expires_at timestamptz,
      created_at timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE pbx_keys (
      id uuid PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      name text NOT NULL,
      key_hash text NOT NULL UNIQUE,
      key_prefix text NOT NULL,
      revoked_at timestamptz,
      created_at timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE extensions (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      number text NOT NULL,
      name text NOT NULL DEFAULT '',
      dnd boolean NOT NULL DEFAULT false,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (tenant_id, number)
    );

    -- One installation of the app; its id is chosen by the app and unique within the extension's tenant.
    CREATE TABLE devices (
      id uuid PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      extension_id bigint NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
      device_key text NOT NULL,
      app_id text NOT NULL,
      name text NOT NULL DEFAULT '',
      created_at timestamptz NOT NULL DEFAULT now(),
      last_seen_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (tenant_id, device_key)
    );
    -- All devices of one extension, for each call.
    CREATE INDEX devices_extension_id_idx ON devices (extension_id);

    -- A token belongs to one device at a time: the last login wins, or a call would ring the wrong person's phone.
    CREATE TABLE device_tokens (
      id uuid PRIMARY KEY,
      device_id uuid NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
      kind text NOT NULL CHECK (kind IN ('apns', 'apns_voip', 'fcm')),
      environment text NOT NULL CHECK (environment IN ('production', 'sandbox')),
      token_hash text NOT NULL,
      token_sealed text NOT NULL,
      registered_at timestamptz NOT NULL,
      invalidated_at timestamptz,
      invalid_reason text,
      UNIQUE (kind, environment, token_hash),
      UNIQUE (device_id, kind)
    );

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
    -- "Why did my phone not ring": by call, and the newest of a tenant.
    CREATE INDEX push_logs_call_idx ON push_logs (tenant_id, call_id);
    CREATE INDEX push_logs_tenant_accepted_idx ON push_logs (tenant_id, accepted_at DESC);
    -- The sweep that closes what nobody else closed; holds open rows only, so it stays small.
    CREATE INDEX push_logs_open_idx ON push_logs (expires_at) WHERE closed_at IS NULL;

    CREATE TABLE operators (
      id uuid PRIMARY KEY,
      name text NOT NULL UNIQUE,
      password_hash text NOT NULL,
      role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE operator_sessions (
      token_hash text PRIMARY KEY,
      operator_id uuid NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
      expires_at timestamptz NOT NULL
    );

    -- Short-lived facts of the PostgreSQL backend; Redis holds them in a cluster.
    CREATE UNLOGGED TABLE signals (
      key text PRIMARY KEY,
      value text NOT NULL,
      expires_at timestamptz NOT NULL
    );
    CREATE INDEX signals_expires_at_idx ON signals (expires_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TABLE signals, operator_sessions, operators, push_logs, device_tokens, devices, extensions, pbx_keys, licenses, tenants
  `)
}
