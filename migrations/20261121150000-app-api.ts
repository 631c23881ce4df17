import type { Knex } from 'knex'

/** What the mobile app of an extension lives on: its login, voicemail and call history. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE tenants
      -- The name under which the apps of this tenant ask; a login without one must be clear from the extension alone.
      ADD COLUMN app_host text UNIQUE,
      -- What an app needs to register over SIP.
      ADD COLUMN sip_domain text NOT NULL DEFAULT '',
      ADD COLUMN sip_port integer NOT NULL DEFAULT 5060,
      ADD COLUMN sip_tls_port integer NOT NULL DEFAULT 5061,
      ADD COLUMN sip_transport text NOT NULL DEFAULT 'tls' CHECK (sip_transport IN ('tls', 'tcp'));

    ALTER TABLE extensions
      ADD COLUMN email text NOT NULL DEFAULT '',
      -- argon2id; NULL: nobody can log in.
      ADD COLUMN password_hash text,
      ADD COLUMN password_changed_at timestamptz,
      ADD COLUMN follow_me_enabled boolean NOT NULL DEFAULT false,
      ADD COLUMN follow_me_confirm boolean NOT NULL DEFAULT false,
      ADD COLUMN follow_me_strategy text NOT NULL DEFAULT 'sequential'
        CHECK (follow_me_strategy IN ('sequential', 'simultaneous')),
      -- [{"number", "delay", "timeout"}], seconds.
      ADD COLUMN follow_me_destinations jsonb NOT NULL DEFAULT '[]';
    -- A login that names no tenant.
    CREATE INDEX extensions_number_idx ON extensions (number);

    ALTER TABLE devices
      ADD COLUMN app_version text NOT NULL DEFAULT '',
      ADD COLUMN locale text NOT NULL DEFAULT '',
      ADD COLUMN platform text NOT NULL DEFAULT '';

    -- One per login; each request of the app asks whether it is still good.
    CREATE TABLE app_sessions (
      id uuid PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      extension_id bigint NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
      -- The device that logged in, when the app said so: the session goes with it.
      device_key text,
      name text NOT NULL DEFAULT '',
      address text NOT NULL DEFAULT '',
      created_at timestamptz NOT NULL,
      last_seen_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      -- The refresh token that is good is the one of this number; NULL: the session has none. Who brings one of a smaller number
      -- has stolen it, or was stolen from.
      refresh_generation integer,
      refreshed_at timestamptz,
      revoked_at timestamptz,
      revoked_why text CHECK (revoked_why IN ('logout', 'revoked', 'reuse', 'password', 'device', 'operator')),
      CHECK ((revoked_at IS NULL) = (revoked_why IS NULL))
    );
    CREATE INDEX app_sessions_extension_idx ON app_sessions (extension_id, created_at DESC);
    CREATE INDEX app_sessions_expires_at_idx ON app_sessions (expires_at);

    -- A link or QR code that logs a phone in once.
    CREATE TABLE provisioning_links (
      token_hash text PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      extension_id bigint NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
      -- What the phone needs to register over SIP; sealed, because we do not keep it otherwise.
      password_sealed text NOT NULL,
      created_at timestamptz NOT NULL,
      expires_at timestamptz NOT NULL,
      used_at timestamptz
    );
    CREATE INDEX provisioning_links_extension_idx ON provisioning_links (extension_id);
    CREATE INDEX provisioning_links_expires_at_idx ON provisioning_links (expires_at);

    CREATE TABLE voicemail_boxes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      number text NOT NULL,
      name text NOT NULL DEFAULT '',
      max_messages integer NOT NULL DEFAULT 100,
      max_seconds integer NOT NULL DEFAULT 300,
      -- NULL: kept until somebody deletes them.
      retention_days integer,
      created_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (tenant_id, number)
    );
    -- Whose box it is: several people may share one, and one may have several.
    CREATE TABLE voicemail_box_extensions (
      box_id bigint NOT NULL REFERENCES voicemail_boxes (id) ON DELETE CASCADE,
      extension_id bigint NOT NULL REFERENCES extensions (id) ON DELETE CASCADE,
      PRIMARY KEY (box_id, extension_id)
    );
    CREATE INDEX voicemail_box_extensions_extension_idx ON voicemail_box_extensions (extension_id);

    -- Files of the voicemail storage. A file is announced here before it is written and marked before it is removed, so that
    -- none can be left over.
    CREATE TABLE stored_files (
      key uuid PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      state text NOT NULL CHECK (state IN ('writing', 'kept', 'removed')),
      size_bytes bigint,
      changed_at timestamptz NOT NULL
    );
    CREATE INDEX stored_files_leftover_idx ON stored_files (changed_at) WHERE state <> 'kept';
    CREATE INDEX stored_files_tenant_idx ON stored_files (tenant_id) WHERE state = 'kept';

    CREATE TABLE voicemail_messages (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      box_id bigint NOT NULL REFERENCES voicemail_boxes (id) ON DELETE CASCADE,
      -- The PBX's own id: the same message twice is one.
      external_id text NOT NULL,
      caller_id_name text NOT NULL DEFAULT '',
      caller_id_num text NOT NULL DEFAULT '',
      recorded_at timestamptz NOT NULL,
      duration_seconds integer NOT NULL,
      read_at timestamptz,
      transcription text,
      file_key uuid NOT NULL UNIQUE REFERENCES stored_files (key),
      media_type text NOT NULL,
      size_bytes bigint NOT NULL,
      -- Of the file, hex: its ETag.
      sha256 text NOT NULL,
      created_at timestamptz NOT NULL,
      UNIQUE (box_id, external_id)
    );
    CREATE INDEX voicemail_messages_box_idx ON voicemail_messages (box_id, recorded_at DESC, id DESC);
    CREATE INDEX voicemail_messages_unread_idx ON voicemail_messages (box_id) WHERE read_at IS NULL;

    CREATE TABLE call_records (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      tenant_id uuid NOT NULL REFERENCES tenants (id),
      call_id text NOT NULL,
      start_time timestamptz NOT NULL,
      -- False: nobody has told it yet, and it is the earliest moment that we know of.
      start_told boolean NOT NULL,
      answer_time timestamptz,
      end_time timestamptz,
      duration_seconds integer,
      billable_seconds integer,
      caller_id_name text NOT NULL DEFAULT '',
      caller_id_num text NOT NULL DEFAULT '',
      callee text NOT NULL DEFAULT '',
      trunk_id bigint,
      direction text CHECK (direction IN ('inbound', 'outbound', 'internal')),
      disposition text NOT NULL CHECK (disposition IN
        ('answered', 'no_answer', 'cancelled', 'busy', 'failed', 'in_progress')),
      recording_file text NOT NULL DEFAULT '',
      flow_path text NOT NULL DEFAULT '',
      hangup_cause text NOT NULL DEFAULT '',
      updated_at timestamptz NOT NULL,
      UNIQUE (tenant_id, call_id)
    );
    -- Whose history a call is in. A page of it is one short walk over this index, however many calls the tenant has.
    CREATE TABLE call_record_parties (
      tenant_id uuid NOT NULL,
      party text NOT NULL,
      start_time timestamptz NOT NULL,
      record_id bigint NOT NULL REFERENCES call_records (id) ON DELETE CASCADE,
      PRIMARY KEY (tenant_id, party, start_time, record_id)
    );
    CREATE INDEX call_record_parties_record_idx ON call_record_parties (record_id);
    -- How many calls a party is in: counting them took longer than reading a page.
    CREATE TABLE call_party_counts (
      tenant_id uuid NOT NULL,
      party text NOT NULL,
      calls bigint NOT NULL,
      PRIMARY KEY (tenant_id, party)
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TABLE call_party_counts, call_record_parties, call_records, voicemail_messages, stored_files, voicemail_box_extensions, voicemail_boxes,
      provisioning_links, app_sessions;
    DROP INDEX extensions_number_idx;
    ALTER TABLE devices DROP COLUMN app_version, DROP COLUMN locale, DROP COLUMN platform;
    ALTER TABLE extensions DROP COLUMN email, DROP COLUMN password_hash, DROP COLUMN password_changed_at,
      DROP COLUMN follow_me_enabled, DROP COLUMN follow_me_confirm, DROP COLUMN follow_me_strategy,
      DROP COLUMN follow_me_destinations;
    ALTER TABLE tenants DROP COLUMN app_host, DROP COLUMN sip_domain, DROP COLUMN sip_port, DROP COLUMN sip_tls_port,
      DROP COLUMN sip_transport;
  `)
}
