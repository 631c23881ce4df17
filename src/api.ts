import type { Express } from 'express'
import { deviceRoutes } from './app/device-routes.ts'
import { directoryRoutes } from './app/directory-routes.ts'
import { historyRoutes } from './app/history-routes.ts'
import { appLoginRoutes } from './app/login-routes.ts'
import { meRoutes } from './app/me-routes.ts'
import { provisioningRoutes } from './app/provisioning-routes.ts'
import { pushTokenRoutes } from './app/push-token-routes.ts'
import { sessionOperatorRoutes } from './app/session-operator-routes.ts'
import { sessionRoutes } from './app/session-routes.ts'
import { appVoicemailRoutes } from './app/voicemail-routes.ts'
import { compatibleMessageRoutes } from './chat/compatible-message-routes.ts'
import { compatibleRoutes } from './chat/compatible-routes.ts'
import { conversationRoutes } from './chat/conversation-routes.ts'
import { messageRoutes } from './chat/message-routes.ts'
import { participantRoutes } from './chat/participant-routes.ts'
import { pushSettingsRoutes } from './chat/push-settings-routes.ts'
import { ticketRoutes } from './chat/realtime/ticket-routes.ts'
import { syncRoutes } from './chat/sync-routes.ts'
import type { Context } from './context.ts'
import { gatewayRoutes } from './gateway/gateway-routes.ts'
import { tokenRoutes } from './gateway/token-routes.ts'
import { webhookRoutes } from './gateway/webhook-routes.ts'
import { createApp } from './http/app.ts'
import { docsPage } from './http/docs-page.ts'
import { openApiRoute } from './http/openapi-route.ts'
import type { AuthScheme, Route } from './http/route.ts'
import { installationRoutes } from './license/installation-routes.ts'
import { licenseFileRoutes } from './license/license-file-routes.ts'
import { licenseRoutes } from './license/license-routes.ts'
import { operatorLicenseActions } from './license/operator-license-actions.ts'
import { operatorLicenseRoutes } from './license/operator-license-routes.ts'
import { usageRoutes } from './license/usage-routes.ts'
import { queueBoard } from './operator/board.ts'
import { healthRoutes } from './operator/health-routes.ts'
import { loginRoutes } from './operator/login-routes.ts'
import { messagePushRoutes } from './operator/message-push-routes.ts'
import { pushRoutes } from './operator/push-routes.ts'
import { callRecordRoutes } from './pbx/call-record-routes.ts'
import { callRoutes } from './pbx/call-routes.ts'
import { extensionDeviceRoutes } from './pbx/extension-device-routes.ts'
import { extensionRoutes } from './pbx/extension-routes.ts'
import { settingsRoutes } from './pbx/settings-routes.ts'
import { voicemailBoxRoutes } from './pbx/voicemail-box-routes.ts'
import { pbxVoicemailRoutes } from './pbx/voicemail-routes.ts'

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
    seatAuth: auth('license-key', 'after-body'),
    offlineAuth: auth('license-key', 'after-body'),
    webhookAuth: auth('license-key', 'after-body'),
    pbxAuth: auth('pbx-key', 'before-body'),
    appAuth: auth('app', 'before-body'),
    operatorAuth: auth('operator', 'before-body'),
  } as unknown as Context)
}

const featureRoutes = (context: Context): Route[] => [
  ...gatewayRoutes(context),
  ...tokenRoutes(context),
  ...webhookRoutes({ ...context, licenseAuth: context.webhookAuth }),
  ...licenseRoutes({ ...context, ...context.config }),
  ...installationRoutes(context),
  ...usageRoutes(context),
  ...callRoutes({ ...context, ...context.config }),
  ...extensionRoutes(context),
  ...extensionDeviceRoutes(context),
  ...callRecordRoutes(context),
  ...settingsRoutes({ ...context, ...context.config }),
  ...appLoginRoutes(context),
  ...sessionRoutes(context),
  ...meRoutes(context),
  ...provisioningRoutes(context),
  ...historyRoutes(context),
  ...directoryRoutes(context),
  ...pushTokenRoutes(context),
  ...deviceRoutes(context),
  ...ticketRoutes(context),
  ...voicemailBoxRoutes(context),
  ...pbxVoicemailRoutes(context),
  ...appVoicemailRoutes(context),
  ...conversationRoutes(context),
  ...participantRoutes(context),
  ...messageRoutes(context),
  ...pushSettingsRoutes(context),
  ...syncRoutes(context),
  ...compatibleRoutes(context),
  ...compatibleMessageRoutes(context),
  ...licenseFileRoutes({ ...context, ...context.config }),
  ...pushRoutes(context),
  ...messagePushRoutes(context),
  ...operatorLicenseRoutes(context),
  ...operatorLicenseActions(context),
  ...sessionOperatorRoutes(context),
  ...healthRoutes({
    ...context,
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
    paces: [{ path: '/api/v1/app', check: context.appPace }],
    mounts: [docsPage(), queueBoard(context), loginRoutes(context)],
    strangers: context.addressGuard,
    trustProxyHops: context.config.http.trustProxyHops,
    logger: context.logger,
  })
}
