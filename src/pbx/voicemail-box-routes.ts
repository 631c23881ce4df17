import { z } from 'zod'
import type { Badges } from '../devices/badges.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { StoredFiles } from '../storage/stored-files.ts'
import type { PbxKey } from './pbx-key-store.ts'
import type { VoicemailBoxStore } from './voicemail-box-store.ts'
import { BoxAnswer, BoxBody, BoxNumber, describeBox } from './voicemail-schemas.ts'

export interface VoicemailBoxRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  voicemailBoxes: VoicemailBoxStore
  files: StoredFiles
  badges: Badges
  clock: Clock
}

const tag = 'PBX'
const path = '/api/v1/pbx/voicemail-boxes/{number}'
const params = z.object({ number: BoxNumber })
const problems = ['unauthorized', 'invalid_credentials', 'store_unavailable'] as const

/** Where messages are left, and who hears them. */
export const voicemailBoxRoutes = (deps: VoicemailBoxRouteDeps): Route[] => [
  listBoxes(deps),
  putBox(deps),
  deleteBox(deps),
]

const listBoxes = ({ pbxAuth, voicemailBoxes }: VoicemailBoxRouteDeps): Route =>
  route({
    method: 'get',
    path: '/api/v1/pbx/voicemail-boxes',
    tag,
    summary: 'The voicemail boxes',
    auth: pbxAuth,
    replies: [{ status: 200, description: 'All of them.', schema: z.object({ boxes: z.array(BoxAnswer) }) }],
    problems,
    handler: async ({ caller }) => ({
      data: { boxes: (await orStoreAway(voicemailBoxes.list(caller.tenantId))).map(describeBox) },
    }),
  })

const putBox = ({ pbxAuth, voicemailBoxes, badges }: VoicemailBoxRouteDeps): Route =>
  route({
    method: 'put',
    path,
    tag,
    summary: 'Create or change a voicemail box',
    description: 'Whom it belongs to is replaced by `extensions`; what else is absent stays as it is.',
    auth: pbxAuth,
    params,
    body: BoxBody,
    replies: [{ status: 200, description: 'As it is now.', schema: BoxAnswer }],
    problems: [...problems, 'unknown_extension'],
    async handler({ params: { number }, body, caller }) {
      const change = {
        name: body.name,
        extensions: body.extensions,
        maxMessages: body.max_messages,
        maxSeconds: body.max_seconds,
        retentionDays: body.retention_days,
      }
      const put = await orStoreAway(voicemailBoxes.put(caller.tenantId, number, change))
      if ('unknown' in put) {
        const [first = ''] = put.unknown
        throw new Problem('unknown_extension', { field: `extensions.${body.extensions.indexOf(first)}` })
      }
      badges.changed(caller.tenantId, put.extensionIds)
      return { data: describeBox(put.box) }
    },
  })

const deleteBox = ({ pbxAuth, voicemailBoxes, files, badges, clock }: VoicemailBoxRouteDeps): Route =>
  route({
    method: 'delete',
    path,
    tag,
    summary: 'Remove a voicemail box with its messages',
    auth: pbxAuth,
    params,
    replies: [{ status: 200, description: 'It is gone.', schema: z.object({ status: z.literal('ok') }) }],
    problems: [...problems, 'unknown_box'],
    async handler({ params: { number }, caller }) {
      const gone = await orStoreAway(voicemailBoxes.remove(caller.tenantId, number, new Date(clock.now())))
      if (!gone) throw new Problem('unknown_box')
      badges.changed(caller.tenantId, gone.extensionIds)
      files.eraseSoon(gone.files)
      return { data: { status: 'ok' } }
    },
  })
