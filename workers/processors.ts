import type { Context } from '../src/context.ts'
import type { Processors } from '../src/queue/run-workers.ts'
import { closeStalePushes } from './close-stale-pushes.ts'
import { cullInstallations } from './cull-installations.ts'
import { deliverCallJob } from './deliver-call.ts'
import { deliverMessageJob } from './deliver-message.ts'
import { maintainPushLogsJob } from './maintain-push-logs.ts'
import { pruneAppLogins } from './prune-app-logins.ts'
import { pruneChat } from './prune-chat.ts'
import { pruneTokens } from './prune-tokens.ts'
import { pruneVoicemail } from './prune-voicemail.ts'
import { sweepStoredFiles } from './sweep-stored-files.ts'

/** Everything that happens in the background. A job without a processor does not compile. */
export const createProcessors = (context: Context): Processors => ({
  'deliver-call': deliverCallJob(context),
  'deliver-apns-message': deliverMessageJob('apns', context),
  'deliver-fcm-message': deliverMessageJob('fcm', context),
  'close-stale-pushes': closeStalePushes(context),
  'maintain-push-logs': maintainPushLogsJob(context),
  'cull-installations': cullInstallations(context),
  'sweep-stored-files': sweepStoredFiles(context),
  'prune-voicemail': pruneVoicemail(context),
  'prune-app-logins': pruneAppLogins(context),
  'prune-tokens': pruneTokens(context),
  'prune-chat': pruneChat(context),
})
