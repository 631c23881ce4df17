import type { Knex } from 'knex'
import type { Extension, FollowMeDestination } from '../devices/extension.ts'

/** What the owner of an extension sees of it. */
export interface Profile {
  id: number
  extension: string
  name: string
  email: string
  dnd: boolean
  followMeEnabled: boolean
  followMeDestinations: readonly FollowMeDestination[]
  followMeStrategy: Extension['followMeStrategy']
  followMeConfirm: boolean
  updatedAt: Date
}

export interface ProfileChange {
  dnd?: boolean | undefined
  followMeEnabled?: boolean | undefined
  followMeDestinations?: readonly FollowMeDestination[] | undefined
  followMeStrategy?: Extension['followMeStrategy'] | undefined
  followMeConfirm?: boolean | undefined
}

const COLUMNS = [
  ...['id', 'number', 'name', 'email', 'dnd', 'updated_at'],
  ...['follow_me_enabled', 'follow_me_destinations', 'follow_me_strategy', 'follow_me_confirm'],
]

export function createProfileStore(db: Knex) {
  return {
    async find(tenantId: string, extensionId: number): Promise<Profile | undefined> {
      const row = await db('extensions')
        .first(...COLUMNS)
        .where({ tenant_id: tenantId, id: extensionId })
      return row && fromRow(row)
    },

    /** What is undefined stays. Undefined when there is no such extension. */
    async change(tenantId: string, extensionId: number, change: ProfileChange): Promise<Profile | undefined> {
      const [row] = await db('extensions')
        .where({ tenant_id: tenantId, id: extensionId })
        .update({ ...toRow(change), updated_at: db.fn.now() })
        .returning(COLUMNS)
      return row && fromRow(row)
    },
  }
}
export type ProfileStore = ReturnType<typeof createProfileStore>

interface Row {
  id: number
  number: string
  name: string
  email: string
  dnd: boolean
  updated_at: Date
  follow_me_enabled: boolean
  follow_me_destinations: FollowMeDestination[]
  follow_me_strategy: Extension['followMeStrategy']
  follow_me_confirm: boolean
}

const fromRow = (row: Row): Profile => ({
  id: row.id,
  extension: row.number,
  name: row.name,
  email: row.email,
  dnd: row.dnd,
  followMeEnabled: row.follow_me_enabled,
  followMeDestinations: row.follow_me_destinations,
  followMeStrategy: row.follow_me_strategy,
  followMeConfirm: row.follow_me_confirm,
  updatedAt: row.updated_at,
})

const toRow = (change: ProfileChange) =>
  Object.fromEntries(
    Object.entries({
      dnd: change.dnd,
      follow_me_enabled: change.followMeEnabled,
      // node-postgres would make an array of PostgreSQL of it.
      follow_me_destinations: change.followMeDestinations && JSON.stringify(change.followMeDestinations),
      follow_me_strategy: change.followMeStrategy,
      follow_me_confirm: change.followMeConfirm,
    }).filter(([, value]) => value !== undefined),
  )
