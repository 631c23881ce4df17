import type { Express } from 'express'
import type { Context } from './context.ts'
import { gatewayRoutes } from './gateway/gateway-routes.ts'
import { createApp } from './http/app.ts'
import type { Route } from './http/route.ts'
import { healthRoutes } from './operator/health-routes.ts'
import { callRoutes } from './pbx/call-routes.ts'
import { extensionRoutes } from './pbx/extension-routes.ts'

/** Every API route there is; the OpenAPI document is made from the same list. */
export const apiRoutes = (context: Context): Route[] => [
  ...gatewayRoutes(context),
  ...callRoutes({ ...context, ...context.config }),
  ...extensionRoutes(context),
  ...healthRoutes({
    probes: {
      database: () => context.db.raw('SELECT 1'),
      queue: () => context.queues.ping(),
      signals: () => context.signals.ping(),
    },
    isStopping: () => context.stopping.signal.aborted,
  }),
]

/** The HTTP surface of a process. */
export function createApi(context: Context): Express {
  return createApp({
    routes: apiRoutes(context),
    trustProxyHops: context.config.http.trustProxyHops,
    logger: context.logger,
  })
}
