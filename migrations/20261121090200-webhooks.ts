import type { Knex } from 'knex'

/** Where owners want to be told what happened, and what they still have to be told. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE webhooks (
      id uuid PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
      url text NOT NULL,
      -- Encrypted: it signs what we send, so a hash would not do.
      secret_sealed text NOT NULL,
      -- Signs as well until then, while the receiver changes over.
      previous_secret_sealed text,
      previous_secret_until timestamptz,
      created_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (tenant_id, url)
    );

    CREATE TABLE webhook_deliveries (
      webhook_id uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
      -- UUID version 7: in the order of the events.
      event_id uuid NOT NULL,
      type text NOT NULL,
      -- As it is sent, byte for byte at every attempt.
      body text NOT NULL,
      attempts smallint NOT NULL DEFAULT 0,
      created_at timestamptz NOT NULL DEFAULT now(),
      -- While an attempt is under way: when another worker may take it over. Empty when it was delivered or given up.
      next_attempt_at timestamptz,
      delivered_at timestamptz,
      given_up_at timestamptz,
      last_status smallint,
      last_error text,
      PRIMARY KEY (webhook_id, event_id),
      CHECK (num_nonnulls(next_attempt_at, delivered_at, given_up_at) = 1)
    );
    -- What is due, webhook by webhook.
    CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (webhook_id, next_attempt_at)
      WHERE next_attempt_at IS NOT NULL;
    -- What has been kept for long enough.
    CREATE INDEX webhook_deliveries_delivered_at_idx ON webhook_deliveries (delivered_at)
      WHERE delivered_at IS NOT NULL;
    CREATE INDEX webhook_deliveries_given_up_at_idx ON webhook_deliveries (given_up_at) WHERE given_up_at IS NOT NULL;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE webhook_deliveries, webhooks')
}
