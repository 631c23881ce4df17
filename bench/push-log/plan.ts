import type { Client } from 'pg'

/** How PostgreSQL carries out a search. */
export interface PlanSummary {
  partitions: number
  /** Index scans by index, without the day in their names. */
  indexes: string[]
  /** Tables with rows that are read from end to end. */
  scannedWhole: string[]
}

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  Plans?: PlanNode[]
}

/** @param row of EXPLAIN (FORMAT JSON) */
export async function summarizePlan(
  client: Client,
  row: { 'QUERY PLAN': { Plan: PlanNode }[] },
): Promise<PlanSummary> {
  const nodes: PlanNode[] = []
  const collect = (node: PlanNode) => {
    nodes.push(node)
    for (const inner of node.Plans ?? []) collect(inner)
  }
  for (const { Plan } of row['QUERY PLAN']) collect(Plan)
  const relations = new Set(nodes.flatMap((node) => node['Relation Name'] ?? []))
  const indexes = new Set(nodes.flatMap((node) => node['Index Name']?.replace(/_\d{8}|_default/, '') ?? []))
  const whole = nodes.flatMap((node) =>
    node['Node Type'] === 'Seq Scan' ? (node['Relation Name'] ?? []) : [],
  )
  const { rows } = await client.query(
    'SELECT relname FROM pg_class WHERE relname = ANY($1) AND relpages > 0',
    [whole],
  )
  return {
    partitions: [...relations].filter((name) => name.startsWith('push_logs')).length,
    indexes: [...indexes].sort(),
    scannedWhole: rows.map(({ relname }) => String(relname)).filter((name) => name.startsWith('push_logs')),
  }
}
