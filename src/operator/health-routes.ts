import { z } from 'zod'
import { nobody, type Route, route } from '../http/route.ts'
import { within } from '../lib/deadline.ts'
import { orStoreAway } from '../lib/store-away.ts'

/** A probe that takes longer is a no: orchestrators ask every few seconds. */
const PROBE_MS = 1_000

export interface HealthDeps {
  /** What must answer before this node may get requests, by name. */
  probes: Readonly<Record<string, () => Promise<unknown>>>
  isStopping: () => boolean
  tenantSettings: { hasTenants(): Promise<boolean> }
}

/** Liveness and readiness apart: a node without its database is alive, and a restart would not help it. */
export const healthRoutes = ({ probes, isStopping, tenantSettings }: HealthDeps): Route[] => [
  route({
    method: 'get',
    path: '/healthz',
    tag: 'Operation',
    summary: 'The process is alive',
    auth: nobody,
    replies: [
      { status: 200, description: 'Alive.', schema: z.object({ status: z.literal('ok') }), bare: true },
    ],
    problems: [],
    handler: async () => ({ raw: { status: 'ok' } }),
  }),
  appHealthRoute(tenantSettings),
  route({
    method: 'get',
    path: '/readyz',
    tag: 'Operation',
    summary: 'The node can take calls',
    auth: nobody,
    replies: [
      { status: 200, description: 'Ready.', schema: Readiness, bare: true },
      { status: 503, description: 'Not ready; the checks say why.', schema: Readiness, bare: true },
    ],
    problems: [],
    async handler() {
      const names = Object.keys(probes)
      const results = await Promise.allSettled(
        names.map((name) => within(PROBE_MS, name, probe(probes[name]))),
      )
      const checks = Object.fromEntries(
        names.map((name, i) => [name, results[i]?.status === 'fulfilled' ? 'ok' : 'failed']),
      )
      const ready = !isStopping() && results.every(({ status }) => status === 'fulfilled')
      const status = isStopping() ? 'stopping' : ready ? 'ready' : 'not_ready'
      return { status: ready ? 200 : 503, raw: { status, checks } }
    },
  }),
]

/** FlowPBX's, in its envelope: for who sets up a PBX, not for a load balancer. */
const appHealthRoute = (tenantSettings: HealthDeps['tenantSettings']): Route => {
  // It never goes back, so of all who ask only the first ones cost a query.
  let isSetUp = false
  return route({
    method: 'get',
    path: '/api/v1/health',
    tag: 'Operation',
    summary: 'The API answers; `needs_setup` until there is a tenant',
    auth: nobody,
    replies: [
      {
        status: 200,
        description: 'It answers.',
        schema: z.object({ status: z.literal('ok'), needs_setup: z.boolean() }),
      },
    ],
    problems: ['store_unavailable'],
    async handler() {
      isSetUp ||= await orStoreAway(tenantSettings.hasTenants())
      return { data: { status: 'ok', needs_setup: !isSetUp } }
    },
  })
}

const Readiness = z
  .object({
    status: z.enum(['ready', 'not_ready', 'stopping']),
    checks: z.record(z.string(), z.enum(['ok', 'failed'])),
  })
  .meta({ id: 'Readiness' })

const probe = async (run: (() => Promise<unknown>) | undefined) => run?.()
