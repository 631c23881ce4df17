import type { Knex } from 'knex'

/**
 * Every PBX has an extension 1001, so among the pushes of all of them a search for one passed by those of thousands. Among those of its
 * tenant it passes by few; and the index by extension alone gets smaller by the tenant.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX push_logs_extension_idx, push_logs_tenant_idx;
    CREATE INDEX push_logs_extension_idx ON push_logs (extension, accepted_at) WHERE extension IS NOT NULL;
    CREATE INDEX push_logs_tenant_idx ON push_logs (tenant_id, accepted_at, license_id, extension);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX push_logs_extension_idx, push_logs_tenant_idx;
    CREATE INDEX push_logs_extension_idx ON push_logs (extension, accepted_at, tenant_id) WHERE extension IS NOT NULL;
    CREATE INDEX push_logs_tenant_idx ON push_logs (tenant_id, accepted_at, license_id);
  `)
}
