import * as foundation from './20261121060000-foundation.ts'

/** All migrations in their order; a merged one is never edited. */
export const migrations = { '20261121060000-foundation': foundation }
