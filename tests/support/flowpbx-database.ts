import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseUrl, query, type TestDatabase } from './databases.ts'

const sql = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')

/** A FlowPBX gateway's database, empty or with every oddity there is. */
export async function flowpbxDatabase(content: 'empty' | 'oddities' = 'empty'): Promise<TestDatabase> {
  const server = process.env.WAKELINE_TEST_POSTGRES ?? ''
  const name = `t_flowpbx_${randomBytes(8).toString('hex')}`
  await query(server, `CREATE DATABASE ${name} OWNER wakeline`)
  const url = databaseUrl(server, name)
  const drop = async () => {
    await query(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }
  await query(url, sql('flowpbx-gateway.sql'))
  if (content === 'oddities') await query(url, sql('flowpbx-oddities.sql'))
  return { url, drop, [Symbol.asyncDispose]: drop }
}
