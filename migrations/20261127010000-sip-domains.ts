import type { Knex } from 'knex'

/** The domain that is typed at a login says whose extension is meant, so it is one tenant's. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Of several that have the same one, the oldest keeps it: a login that named it got nobody in.
    UPDATE tenants SET sip_domain = '' WHERE sip_domain <> '' AND EXISTS (
      SELECT FROM tenants former WHERE former.sip_domain = tenants.sip_domain
        AND (former.created_at, former.id) < (tenants.created_at, tenants.id)
    );
    CREATE UNIQUE INDEX tenants_sip_domain_key ON tenants (sip_domain) WHERE sip_domain <> '';
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX tenants_sip_domain_key')
}
