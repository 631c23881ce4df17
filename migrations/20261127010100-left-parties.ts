import type { Knex } from 'knex'

/** Extensions that are gone stay out of the history of their calls, whatever is still told of these. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`ALTER TABLE call_records ADD COLUMN left_parties text[] NOT NULL DEFAULT '{}'`)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('ALTER TABLE call_records DROP COLUMN left_parties')
}
