import type { Knex } from 'knex'

/** An extension that a login may mean. */
export interface LoginCandidate {
  tenantId: string
  extensionId: number
  number: string
  /** Null: nobody can log in. */
  passwordHash: string | null
}

/** How a login names its extension; hosts and domains in lower case. */
export interface LoginName {
  number: string
  /** From `1001@pbx.example.com`. */
  domain?: string | undefined
  /** Under which the app asks. */
  host: string
}

export function createLoginStore(db: Knex) {
  const inTenants = async (number: string, tenants?: readonly string[]): Promise<LoginCandidate[]> => {
    const rows = await db('extensions')
      .select('id', 'tenant_id', 'number', 'password_hash')
      .where({ number })
      .modify((query) => void (tenants && query.whereIn('tenant_id', [...tenants])))
      .orderBy('id')
      // Two are as unclear as many.
      .limit(2)
    return rows.map(fromRow)
  }
  return {
    /**
     * One, none, or two when it is not clear whose is meant: the tenant is that of the domain, else that of the host, else the only
     * one that has such an extension.
     */
    async candidates({ number, domain, host }: LoginName): Promise<LoginCandidate[]> {
      const asked = domain ?? host
      const hosts = await db('tenants').select<{ id: string }[]>('id').where({ app_host: asked })
      if (hosts.length > 0) return inTenants(number, idsOf(hosts))
      if (domain === undefined) return inTenants(number)
      const domains = await db('tenants').select<{ id: string }[]>('id').where({ sip_domain: domain })
      return inTenants(number, idsOf(domains))
    },

    async find(tenantId: string, number: string): Promise<LoginCandidate | undefined> {
      const row = await db('extensions')
        .first('id', 'tenant_id', 'number', 'password_hash')
        .where({ tenant_id: tenantId, number })
      return row && fromRow(row)
    },
  }
}
export type LoginStore = ReturnType<typeof createLoginStore>

const idsOf = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id)

const fromRow = (row: {
  id: number
  tenant_id: string
  number: string
  password_hash: string | null
}): LoginCandidate => ({
  tenantId: row.tenant_id,
  extensionId: row.id,
  number: row.number,
  passwordHash: row.password_hash,
})
