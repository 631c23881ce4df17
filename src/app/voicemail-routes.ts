import { z } from 'zod'
import type { Badges } from '../devices/badges.ts'
import type { AppCaller } from '../http/app-caller.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { StoredFiles } from '../storage/stored-files.ts'
import { voicemailAudioRoute } from './voicemail-audio-route.ts'
import { describeVoicemail, VoicemailEntry, VoicemailId, VoicemailListQuery } from './voicemail-schemas.ts'
import type { Voicemail, VoicemailPlace, VoicemailStore } from './voicemail-store.ts'

export interface AppVoicemailDeps {
  appAuth: AuthScheme<AppCaller>
  voicemail: VoicemailStore
  files: StoredFiles
  badges: Badges
  clock: Clock
}

const tag = 'App'
const problems = ['unauthorized', 'rate_limited', 'store_unavailable'] as const

/** The messages in all boxes of who is logged in. */
export const appVoicemailRoutes = (deps: AppVoicemailDeps): Route[] => [
  listVoicemail(deps),
  markVoicemail(deps, 'read'),
  markVoicemail(deps, 'unread'),
  deleteVoicemail(deps),
  voicemailAudioRoute(deps),
]

const listVoicemail = ({ appAuth, voicemail }: AppVoicemailDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/app/voicemail',
    tag,
    summary: 'The voicemail messages of the extension',
    description: 'Box after box, the newest first in each.',
    auth: appAuth,
    query: VoicemailListQuery,
    replies: [{ status: 200, description: 'The messages.', schema: z.array(VoicemailEntry) }],
    problems,
    async handler({ query: { limit, cursor }, caller, setHeader }) {
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const more = limit === undefined ? undefined : limit + 1
      const found = await orStoreAway(voicemail.list(caller, { after, limit: more }))
      const page = found.slice(0, limit)
      const last = page.at(-1)
      if (last && found.length > page.length) setHeader('X-Next-Cursor', toCursor(last))
      return { data: page.map(describeVoicemail) }
    },
  })

const markVoicemail = (
  { appAuth, voicemail, badges, clock }: AppVoicemailDeps,
  as: 'read' | 'unread',
): Route =>
  route({
    method: 'put',
    path: `/api/v1/app/voicemail/{id}/${as}`,
    tag,
    summary: `Mark a voicemail message as ${as}`,
    description: 'Takes no body, and looks at none.',
    auth: appAuth,
    params: VoicemailId,
    replies: [{ status: 200, description: 'As it is now.', schema: VoicemailEntry }],
    problems: [...problems, 'unknown_voicemail'],
    async handler({ params: { id }, caller }) {
      const mark = { read: as === 'read', now: new Date(clock.now()) }
      const marked = await orStoreAway(voicemail.mark(caller, id, mark))
      if (!marked) throw new Problem('unknown_voicemail')
      badges.changed(caller.tenantId, marked.extensionIds)
      return { data: describeVoicemail(marked.message) }
    },
  })

const deleteVoicemail = ({ appAuth, voicemail, files, badges, clock }: AppVoicemailDeps): Route =>
  route({
    method: 'delete',
    path: '/api/v1/app/voicemail/{id}',
    tag,
    summary: 'Delete a voicemail message',
    description: 'It is gone for everybody who shares the box.',
    auth: appAuth,
    params: VoicemailId,
    replies: [{ status: 200, description: 'It is gone.', schema: z.object({ status: z.literal('ok') }) }],
    problems: [...problems, 'unknown_voicemail'],
    async handler({ params: { id }, caller }) {
      const gone = await orStoreAway(voicemail.remove(caller, id, new Date(clock.now())))
      if (!gone) throw new Problem('unknown_voicemail')
      badges.changed(caller.tenantId, gone.extensionIds)
      files.eraseSoon([gone.file])
      return { data: { status: 'ok' } }
    },
  })

/** Of the years that a message may have. */
const [FIRST_MS, LAST_MS] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')]
const Place = z.tuple([z.int().min(0), z.int().min(FIRST_MS).max(LAST_MS), z.int().min(0)])

const toCursor = ({ boxId, recordedAt, id }: Voicemail): string =>
  Buffer.from(JSON.stringify([boxId, recordedAt.getTime(), id])).toString('base64url')

function readCursor(text: string): VoicemailPlace {
  try {
    const [boxId, recordedAt, id] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { boxId, recordedAt, id }
  } catch (cause) {
    const sentence = 'cursor must be the X-Next-Cursor of an earlier answer'
    throw new Problem('invalid_request', { sentence, field: 'cursor', cause })
  }
}
