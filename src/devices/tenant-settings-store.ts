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
/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNIQUE_VIOLATION = '23505'

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

    /** What is undefined stays. `taken`: another tenant has this host. */
    async change(
      tenantId: string,
      change: TenantSettingsChange,
    ): Promise<TenantSettings | 'taken' | undefined> {
      const update = toRow(change)
      if (Object.keys(update).length === 0) return this.find(tenantId)
      try {
        const [row] = await db('tenants')
          .where({ id: tenantId })
          .update(update)
          .returning([...COLUMNS])
        return row && fromRow(row)
      } catch (error) {
        if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return 'taken'
        throw error
      }
    },
  }
}
export type TenantSettingsStore = ReturnType<typeof createTenantSettingsStore>

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
