import type { Knex } from 'knex'

/** What the apps of a tenant need to find it, and to register over SIP. */
export interface TenantSettings {
  /** The name under which they ask us. */
  appHost: string | null
  sip: SipSettings
}
export interface SipSettings {
  /** Empty: the name under which the app asked us. */
  domain: string
  port: number
  tlsPort: number
  transport: SipTransport
}
export const SIP_TRANSPORTS = ['tls', 'tcp'] as const
export type SipTransport = (typeof SIP_TRANSPORTS)[number]

type Given<T> = { [Key in keyof T]?: T[Key] | undefined }
export interface TenantSettingsChange {
  /** Null: none. */
  appHost?: string | null | undefined
  sip?: Given<SipSettings> | undefined
}

const COLUMNS = ['app_host', 'sip_domain', 'sip_port', 'sip_tls_port', 'sip_transport'] as const
/** Another tenant is found by this name, be it as the one or as the other. */
export type HostTaken = 'app_host_taken' | 'sip_domain_taken'

export function createTenantSettingsStore(db: Knex) {
  return {
    /** Undefined when there is no such tenant. */
    async find(tenantId: string): Promise<TenantSettings | undefined> {
      const row = await db('tenants')
        .first(...COLUMNS)
        .where({ id: tenantId })
      return row && fromRow(row)
    },

    /** Whether anybody is served here yet. */
    async hasTenants(): Promise<boolean> {
      return (await db('tenants').first('id')) !== undefined
    },

    /** What is undefined stays. */
    change: (
      tenantId: string,
      change: TenantSettingsChange,
    ): Promise<TenantSettings | HostTaken | undefined> =>
      db.transaction(async (trx) => {
        const update = toRow(change)
        const taken = await whatIsTaken(trx, tenantId, update)
        if (taken) return taken
        const [row] =
          Object.keys(update).length === 0
            ? await trx('tenants').select<Row[]>(COLUMNS).where({ id: tenantId })
            : await trx('tenants')
                .where({ id: tenantId })
                .update(update)
                .returning([...COLUMNS])
        return row && fromRow(row)
      }),
  }
}
export type TenantSettingsStore = ReturnType<typeof createTenantSettingsStore>

async function whatIsTaken(
  trx: Knex,
  tenantId: string,
  { app_host: host, sip_domain: domain }: Partial<Row>,
): Promise<HostTaken | undefined> {
  if (!host && !domain) return undefined
  // A name in one column and the same in the other is no conflict to an index: those who change names take turns.
  await trx.raw(`SELECT pg_advisory_xact_lock(hashtext('names of tenants'))`)
  const isOthers = async (name: string) =>
    (await trx('tenants')
      .first('id')
      .whereNot({ id: tenantId })
      .where((by) => by.where({ app_host: name }).orWhere({ sip_domain: name }))) !== undefined
  if (host && (await isOthers(host))) return 'app_host_taken'
  if (domain && (await isOthers(domain))) return 'sip_domain_taken'
  return undefined
}

interface Row {
  app_host: string | null
  sip_domain: string
  sip_port: number
  sip_tls_port: number
  sip_transport: SipTransport
}

const fromRow = (row: Row): TenantSettings => ({
  appHost: row.app_host,
  sip: {
    domain: row.sip_domain,
    port: row.sip_port,
    tlsPort: row.sip_tls_port,
    transport: row.sip_transport,
  },
})

const toRow = ({ appHost, sip = {} }: TenantSettingsChange): Partial<Row> =>
  Object.fromEntries(
    Object.entries({
      app_host: appHost,
      sip_domain: sip.domain,
      sip_port: sip.port,
      sip_tls_port: sip.tlsPort,
      sip_transport: sip.transport,
    }).filter(([, value]) => value !== undefined),
  )
