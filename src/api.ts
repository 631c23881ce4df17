import type { Express } from 'express'
import type { Context } from './context.ts'
import { gatewayRoutes } from './gateway/gateway-routes.ts'
import { tokenRoutes } from './gateway/token-routes.ts'
import { webhookRoutes } from './gateway/webhook-routes.ts'
import { createApp } from './http/app.ts'
import { docsPage } from './http/docs-page.ts'
import { openApiRoute } from './http/openapi-route.ts'
import type { AuthScheme, Route } from './http/route.ts'
import { queueBoard } from './operator/board.ts'
import { healthRoutes } from './operator/health-routes.ts'
import { loginRoutes } from './operator/login-routes.ts'
import { pushRoutes } from './operator/push-routes.ts'
import { callRoutes } from './pbx/call-routes.ts'
import { extensionRoutes } from './pbx/extension-routes.ts'

/** Every API route there is; the OpenAPI document is made from the same list. */
export function apiRoutes(context: Context): Route[] {
  const routes = featureRoutes(context)
  routes.push(openApiRoute(routes))
  return routes
}

/**
 * The same routes without connections, for who only reads them. What makes a route may not touch what it is given until a
 * request comes, so nothing but the names of the callers has to be there.
 */
export function describedRoutes(): Route[] {
  const auth = (name: AuthScheme<unknown>['name'], stage: AuthScheme<unknown>['stage']) => ({ name, stage })
  return apiRoutes({
    licenseAuth: auth('license-key', 'after-body'),
    webhookAuth: auth('license-key', 'after-body'),
    pbxAuth: auth('pbx-key', 'before-body'),
    operatorAuth: auth('operator', 'before-body'),
  } as unknown as Context)
}

const featureRoutes = (context: Context): Route[] => [
  ...gatewayRoutes(context),
  ...tokenRoutes(context),
  ...webhookRoutes({ ...context, licenseAuth: context.webhookAuth }),
  ...callRoutes({ ...context, ...context.config }),
  ...extensionRoutes(context),
  ...pushRoutes(context),
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
    mounts: [docsPage(), queueBoard(context), loginRoutes(context)],
    trustProxyHops: context.config.http.trustProxyHops,
    logger: context.logger,
  })
}
