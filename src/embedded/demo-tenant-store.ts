import type { Knex } from 'knex'

export function createDemoTenantStore(db: Knex) {
  return {
    /** Whether this database knows the tenant at all, whatever became of its keys. */
    async exists(tenantId: string): Promise<boolean> {
      return (await db('tenants').first('id').where({ id: tenantId })) !== undefined
    },
  }
}
