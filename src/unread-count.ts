import type { Knex } from 'knex'
import { createVoicemailStore } from './app/voicemail-store.ts'
import { createConversationListStore } from './chat/conversation-list-store.ts'
import { sumUnread } from './devices/badges.ts'

/** What the number on the icon counts. */
export const createUnreadCount = (db: Knex) =>
  sumUnread([createVoicemailStore(db).unread, createConversationListStore(db).unread])
