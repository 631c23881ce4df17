import type { Knex } from 'knex'

/** What the messages lane still owes, and the tokens that went wrong. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One row per push that was promised and has not ended. The job in the queue is only a reminder of it.
    CREATE TABLE pending_pushes (
      id uuid PRIMARY KEY,
      accepted_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      -- Whose queue its job is in.
      provider text NOT NULL,
      -- The whole push, encrypted.
      sealed text NOT NULL,
      -- Counts the jobs made for it: a queue does not take the id of a finished job again.
      generation integer NOT NULL DEFAULT 0,
      -- Counts how often a worker took it up: only the last one may end it.
      fence integer NOT NULL DEFAULT 0,
      -- When somebody should look whether it still has a job.
      next_check_at timestamptz NOT NULL
    ) WITH (fillfactor = 80);
    CREATE INDEX pending_pushes_due_idx ON pending_pushes (next_check_at);

    -- The id is derived from tenant and key, so the key itself need not be kept.
    CREATE TABLE idempotency_keys (
      push_id uuid PRIMARY KEY,
      request_hash text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

    ALTER TABLE device_tokens DROP CONSTRAINT device_tokens_kind_check;
    ALTER TABLE device_tokens ADD CONSTRAINT device_tokens_kind_check
      CHECK (kind IN ('apns', 'apns_voip', 'fcm', 'fcm_fid'));

    -- What a provider holds against a token, for its owner. Also of tokens that were only handed in with a request.
    CREATE TABLE token_verdicts (
      tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
      kind text NOT NULL,
      environment text NOT NULL,
      token_hash text NOT NULL,
      -- By it an owner who has the token knows which one is meant; it gives nothing away to who has not.
      token_sha256 text NOT NULL,
      app_id text NOT NULL,
      device_id uuid,
      extension text,
      state text NOT NULL CHECK (state IN ('quarantined', 'dead')),
      reason text NOT NULL,
      detail text NOT NULL,
      first_at timestamptz NOT NULL,
      last_at timestamptz NOT NULL,
      times integer NOT NULL DEFAULT 1,
      PRIMARY KEY (tenant_id, kind, environment, token_hash)
    );
    CREATE INDEX token_verdicts_changes_idx ON token_verdicts (tenant_id, last_at, token_sha256);
    -- What is new since a moment, and what is old enough to be forgotten.
    CREATE INDEX token_verdicts_last_at_idx ON token_verdicts (last_at);
    CREATE INDEX devices_last_seen_at_idx ON devices (last_seen_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX devices_last_seen_at_idx;
    DROP TABLE token_verdicts;
    DELETE FROM device_tokens WHERE kind = 'fcm_fid';
    ALTER TABLE device_tokens DROP CONSTRAINT device_tokens_kind_check;
    ALTER TABLE device_tokens ADD CONSTRAINT device_tokens_kind_check CHECK (kind IN ('apns', 'apns_voip', 'fcm'));
    DROP TABLE idempotency_keys, pending_pushes;
  `)
}
