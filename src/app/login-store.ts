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

/** Whose extension a login may mean. */
export interface FoundLogin {
  /** The tenant that the domain or the host names, whether or not it has such an extension. */
  namedTenant?: string
  /** One, none, or two when it is not clear whose is meant. */
  candidates: LoginCandidate[]
}

export function createLoginStore(db: Knex) {
  /** The only one that has such an extension. */
  const ofAnybody = async (number: string): Promise<LoginCandidate[]> => {
    const rows = await db('extensions')
      .select('id', 'tenant_id', 'number', 'password_hash')
      .where({ number })
      .orderBy('id')
      // Two are as unclear as many.
      .limit(2)
    return rows.map(fromRow)
  }
  return {
    /** The tenant is that of the domain, else that of the host, else the only one that has such an extension. */
    async find({ number, domain, host }: LoginName): Promise<FoundLogin> {
      const asked = domain ?? host
      const named = await db('tenants AS t')
        .leftJoin('extensions AS e', (join) => join.on('e.tenant_id', 't.id').andOnVal('e.number', number))
        .first('t.id AS tenant_id', 'e.id', 'e.number', 'e.password_hash')
        .where('t.app_host', asked)
        .modify((query) => void (domain && query.orWhere('t.sip_domain', domain)))
        .orderByRaw('t.app_host = ? DESC NULLS LAST', [asked])
      if (named) {
        return { namedTenant: named.tenant_id, candidates: named.id === null ? [] : [fromRow(named)] }
      }
      return { candidates: domain === undefined ? await ofAnybody(number) : [] }
    },

    async findIn(tenantId: string, number: string): Promise<LoginCandidate | undefined> {
      const row = await db('extensions')
        .first('id', 'tenant_id', 'number', 'password_hash')
        .where({ tenant_id: tenantId, number })
      return row && fromRow(row)
    },
  }
}
export type LoginStore = ReturnType<typeof createLoginStore>

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
