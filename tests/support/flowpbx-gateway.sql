-- A gateway database as FlowPBX lays it out, by the names and types of its columns.
CREATE TABLE licenses (
  id bigserial PRIMARY KEY,
  key text UNIQUE NOT NULL,
  tier text NOT NULL DEFAULT 'free',
  max_extensions integer NOT NULL DEFAULT 5,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE installations (
  id bigserial PRIMARY KEY,
  license_id bigint REFERENCES licenses (id) ON DELETE CASCADE,
  instance_id text UNIQUE,
  hostname text,
  version text DEFAULT '',
  activated_at timestamptz,
  last_seen_at timestamptz
);
CREATE TABLE push_logs (
  id bigserial PRIMARY KEY,
  license_key text,
  platform text,
  call_id text,
  success boolean DEFAULT false,
  error text DEFAULT '',
  created_at timestamptz
);
CREATE INDEX push_logs_license_key_index ON push_logs (license_key);
CREATE INDEX push_logs_created_at_index ON push_logs (created_at);
CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
INSERT INTO schema_migrations (version) VALUES ('001_initial.sql');
