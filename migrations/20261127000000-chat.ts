import type { Knex } from 'knex'

/** Messages between people of one PBX, what each of them has to be told, and which phone knows what. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One row per extension that takes part in chat. Its events are numbered here, in the transaction that makes them: they commit
    -- in the order of their numbers, so "all above n" leaves none out.
    CREATE TABLE chat_users (
      extension_id bigint PRIMARY KEY REFERENCES extensions (id) ON DELETE CASCADE,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      -- For clients that know people by a UUID.
      user_id uuid NOT NULL UNIQUE,
      sync_seq bigint NOT NULL DEFAULT 0,
      -- Events up to this one are forgotten.
      floor_seq bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50);

    CREATE TABLE conversations (
      id uuid PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      kind text NOT NULL CHECK (kind IN ('direct', 'group')),
      title text NOT NULL DEFAULT '',
      -- Both extension ids, the smaller first: two people have one conversation of their own.
      direct_key text,
      last_seq bigint NOT NULL DEFAULT 0,
      last_message_at timestamptz,
      created_at timestamptz NOT NULL,
      CHECK ((kind = 'direct') = (direct_key IS NOT NULL)),
      UNIQUE (tenant_id, direct_key)
    ) WITH (fillfactor = 50);

    CREATE TABLE participants (
      conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
      extension_id bigint NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
      role text NOT NULL CHECK (role IN ('owner', 'member')),
      joined_at timestamptz NOT NULL,
      -- Sees and counts what came after it.
      joined_seq bigint NOT NULL,
      last_read_seq bigint NOT NULL,
      last_delivered_seq bigint NOT NULL,
      -- Own messages after the last that was read: they are nobody's unread ones.
      own_since_read integer NOT NULL DEFAULT 0,
      notify text NOT NULL DEFAULT 'all' CHECK (notify IN ('all', 'mentions', 'none')),
      muted_until timestamptz,
      left_at timestamptz,
      PRIMARY KEY (conversation_id, extension_id)
    ) WITH (fillfactor = 80);
    CREATE INDEX participants_extension_idx ON participants (extension_id) WHERE left_at IS NULL;

    CREATE TABLE messages (
      id uuid PRIMARY KEY,
      conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
      seq bigint NOT NULL,
      -- An extension; what it has said stays when it is gone.
      sender_id bigint NOT NULL,
      sender_number text NOT NULL,
      sender_name text NOT NULL,
      -- The sender's own id: the same message twice is one.
      client_id text NOT NULL,
      kind text NOT NULL,
      content text NOT NULL,
      reply_to uuid,
      -- Extension ids.
      mentions bigint[] NOT NULL DEFAULT '{}',
      created_at timestamptz NOT NULL,
      edited_at timestamptz,
      deleted_at timestamptz,
      UNIQUE (conversation_id, seq),
      UNIQUE (conversation_id, sender_id, client_id)
    );
    -- Unread is what came after the last that was read, less these.
    CREATE INDEX messages_deleted_idx ON messages (conversation_id, seq) WHERE deleted_at IS NOT NULL;
    -- A page before a moment.
    CREATE INDEX messages_created_idx ON messages (conversation_id, created_at);

    -- What an extension has to be told. Without foreign keys, which would cost more than the rows: what belongs to nobody any more goes
    -- with its age.
    CREATE TABLE user_events (
      extension_id bigint NOT NULL,
      seq bigint NOT NULL,
      type text NOT NULL,
      conversation_id uuid NOT NULL,
      message_id uuid,
      data jsonb,
      at timestamptz NOT NULL,
      PRIMARY KEY (extension_id, seq)
    );
    -- What is old enough to be forgotten.
    CREATE INDEX user_events_at_idx ON user_events USING brin (at);

    -- Up to which of its extension's events a phone has them all.
    CREATE TABLE device_acks (
      device_id uuid PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
      extension_id bigint NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
      seq bigint NOT NULL,
      at timestamptz NOT NULL
    ) WITH (fillfactor = 50);
    CREATE INDEX device_acks_extension_idx ON device_acks (extension_id);

    -- How somebody got or read what was said: one row per step forward, so that the moment of each message can be told.
    CREATE TABLE receipts (
      conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
      extension_id bigint NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
      kind text NOT NULL CHECK (kind IN ('delivered', 'read')),
      seq bigint NOT NULL,
      at timestamptz NOT NULL,
      PRIMARY KEY (conversation_id, extension_id, kind, seq)
    );

    CREATE TABLE user_push_settings (
      extension_id bigint PRIMARY KEY REFERENCES extensions (id) ON DELETE CASCADE,
      preview text NOT NULL DEFAULT 'full' CHECK (preview IN ('full', 'sender', 'none')),
      push_when text NOT NULL DEFAULT 'no_device_acked'
        CHECK (push_when IN ('no_device_acked', 'this_device_not_acked', 'always')),
      -- A message that one phone has and nobody has read goes to the others after so many seconds; 0: never.
      escalate_after_seconds integer NOT NULL DEFAULT 0,
      dnd_until timestamptz,
      -- [{"days": [1..7], "from": "22:00", "to": "07:00"}] in time_zone; ISO 8601 counts Monday as 1.
      dnd_schedule jsonb NOT NULL DEFAULT '[]',
      time_zone text NOT NULL DEFAULT 'UTC'
    );

    -- Committed with the message: who has to be told of it, and from when on.
    CREATE TABLE chat_outbox (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      message_id uuid NOT NULL,
      -- At once, after the grace of attentive phones, or because nobody has read it.
      stage smallint NOT NULL,
      tenant_id uuid NOT NULL,
      conversation_id uuid NOT NULL,
      due_at timestamptz NOT NULL,
      extension_ids bigint[] NOT NULL,
      -- The number of each one's event.
      event_seqs bigint[] NOT NULL
    );
    CREATE INDEX chat_outbox_due_idx ON chat_outbox (due_at);
    CREATE INDEX chat_outbox_message_idx ON chat_outbox (message_id);

    -- Whose number on the icon is another one now, and which conversations have nothing unread left.
    CREATE TABLE due_badges (
      extension_id bigint PRIMARY KEY REFERENCES extensions (id) ON DELETE CASCADE,
      tenant_id uuid NOT NULL,
      due_at timestamptz NOT NULL,
      conversation_ids uuid[] NOT NULL,
      -- The phone that did it needs no push; NULL: several did.
      except_device_id uuid
    );
    CREATE INDEX due_badges_due_idx ON due_badges (due_at);

    -- Messages of which a phone was told nothing, and why.
    CREATE TABLE withheld_pushes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      message_id uuid NOT NULL,
      extension_id bigint NOT NULL,
      -- NULL: all phones of the extension.
      device_id uuid,
      reason text NOT NULL,
      at timestamptz NOT NULL
    );
    CREATE INDEX withheld_pushes_message_idx ON withheld_pushes (message_id);
    CREATE INDEX withheld_pushes_at_idx ON withheld_pushes USING brin (at);

    ALTER TABLE push_logs ADD COLUMN message_id uuid;
    CREATE INDEX push_logs_message_idx ON push_logs (message_id) WHERE message_id IS NOT NULL;
    ALTER TABLE push_logs DROP CONSTRAINT push_logs_state_check1;
    ALTER TABLE push_logs ADD CONSTRAINT push_logs_state_check1 CHECK (state IN
      ('queued', 'sending', 'delivered', 'token_dead', 'rejected', 'expired', 'failed', 'skipped'));
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DELETE FROM push_logs WHERE state = 'skipped';
    ALTER TABLE push_logs DROP CONSTRAINT push_logs_state_check1;
    ALTER TABLE push_logs ADD CONSTRAINT push_logs_state_check1 CHECK (state IN
      ('queued', 'sending', 'delivered', 'token_dead', 'rejected', 'expired', 'failed'));
    DROP INDEX push_logs_message_idx;
    ALTER TABLE push_logs DROP COLUMN message_id;
    DROP TABLE withheld_pushes, due_badges, chat_outbox, user_push_settings, receipts, device_acks, user_events, messages, participants,
      conversations, chat_users;
  `)
}
