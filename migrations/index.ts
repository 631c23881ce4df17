import * as foundation from './20261121060000-foundation.ts'
import * as pushLogsByDay from './20261121090000-push-logs-by-day.ts'
import * as messagesLane from './20261121090100-messages-lane.ts'
import * as webhooks from './20261121090200-webhooks.ts'
import * as licenses from './20261121120000-licenses.ts'
import * as appApi from './20261121150000-app-api.ts'
import * as chat from './20261127000000-chat.ts'
import * as sipDomains from './20261127010000-sip-domains.ts'
import * as leftParties from './20261127010100-left-parties.ts'
import * as extensionOfATenant from './20261127020000-extension-of-a-tenant.ts'

/** All migrations in their order; a merged one is never edited. */
export const migrations = {
  '20261121060000-foundation': foundation,
  '20261121090000-push-logs-by-day': pushLogsByDay,
  '20261121090100-messages-lane': messagesLane,
  '20261121090200-webhooks': webhooks,
  '20261121120000-licenses': licenses,
  '20261121150000-app-api': appApi,
  '20261127000000-chat': chat,
  '20261127010000-sip-domains': sipDomains,
  '20261127010100-left-parties': leftParties,
  '20261127020000-extension-of-a-tenant': extensionOfATenant,
}
