import { z } from 'zod'
import type { DeviceMoves } from '../devices/device-moves.ts'
import type { ExtensionStore } from '../devices/extension-store.ts'
import type { Presence } from '../devices/presence.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { Problem } from '../lib/problem.ts'
import { orStoreAway } from '../lib/store-away.ts'
import type { StoredFiles } from '../storage/stored-files.ts'
import { type NewExtension, noRoom, type ProvisionExtensions } from './extension-provisioning.ts'
import type { ExtensionRemovalStore } from './extension-removal-store.ts'
import {
  describeExtension,
  ExtensionAnswer,
  ExtensionBody,
  ExtensionItem,
  ExtensionQuery,
  ExtensionsAnswer,
  ExtensionsBody,
  MAX_EXTENSIONS,
  toCursor,
} from './extension-schemas.ts'
import { describeRefusal, judgeItems, nameOf } from './judged-items.ts'
import type { PbxKey } from './pbx-key-store.ts'
import { ExtensionNumber } from './pbx-schemas.ts'

export interface ExtensionRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  extensions: Pick<ExtensionStore, 'find' | 'list'>
  extensionRemoval: ExtensionRemovalStore
  provisionExtensions: ProvisionExtensions
  deviceMoves: Pick<DeviceMoves, 'forget'>
  presence: Pick<Presence, 'forget'>
  files: Pick<StoredFiles, 'eraseSoon'>
  clock: Clock
}

const tag = 'PBX'
const path = '/api/v1/pbx/extensions'
const pathOfOne = `${path}/{number}`
const params = z.object({ number: ExtensionNumber })
const problems = ['invalid_request', 'unauthorized', 'invalid_credentials', 'store_unavailable'] as const

/** What a PBX tells about its extensions. */
export const extensionRoutes = (deps: ExtensionRouteDeps): Route[] => [
  listExtensions(deps),
  writeExtensions(deps),
  readExtension(deps),
  putExtension(deps),
  deleteExtension(deps),
]

const listExtensions = ({ pbxAuth, extensions }: ExtensionRouteDeps): Route =>
  route({
    method: 'get',
    path,
    tag,
    summary: 'The extensions, in the order of their numbers',
    auth: pbxAuth,
    query: ExtensionQuery,
    replies: [
      {
        status: 200,
        description: 'A page of extensions.',
        schema: z.object({
          extensions: z.array(ExtensionAnswer),
          next_cursor: z.string().optional().describe('For the next page, if there is one.'),
        }),
      },
    ],
    problems,
    async handler({ query: { limit, cursor }, caller }) {
      const found = await orStoreAway(extensions.list(caller.tenantId, { after: cursor, limit: limit + 1 }))
      const page = found.slice(0, limit)
      const last = found.length > limit ? page.at(-1) : undefined
      return {
        data: {
          extensions: page.map(describeExtension),
          ...(last && { next_cursor: toCursor(last.number) }),
        },
      }
    },
  })

const writeExtensions = ({ pbxAuth, provisionExtensions }: ExtensionRouteDeps): Route =>
  route({
    method: 'post',
    path,
    tag,
    summary: 'Create and change many extensions',
    description: `One extension (\`ExtensionItem\`) or an array of up to ${MAX_EXTENSIONS}, each judged by itself; a single one that is wrong is refused with its own status. What is not given stays as it is. Beyond the size of the licence nothing is created, and what is there can still be changed. A password takes some 20 ms to hash: 500 of them are a request of more than ten seconds.`,
    auth: pbxAuth,
    body: ExtensionsBody,
    bodyLimit: '2mb',
    replies: [{ status: 200, description: 'What became of each of them.', schema: ExtensionsAnswer }],
    problems: [...problems, 'too_many_extensions', 'rate_limited'],
    async handler({ body, caller }) {
      const judged = judgeItems(ExtensionItem, body)
      const writes = judged.flatMap(({ value }) => (value ? toChange(value) : []))
      const written = (await orStoreAway(provisionExtensions(caller.tenantId, writes))).values()
      const results = judged.map(({ value, problem }, index) => {
        if (problem) return { number: nameOf([body].flat()[index], 'number'), ...describeRefusal(problem) }
        const { number } = value
        const done = written.next().value
        if (done?.status !== 'refused') return { number, status: done?.status, id: done?.extension.id }
        if (!Array.isArray(body)) throw noRoom(done)
        return { number, ...describeRefusal(noRoom(done)) }
      })
      return { data: { results } }
    },
  })

const readExtension = ({ pbxAuth, extensions }: ExtensionRouteDeps): Route =>
  route({
    method: 'get',
    path: pathOfOne,
    tag,
    summary: 'An extension',
    auth: pbxAuth,
    params,
    replies: [{ status: 200, description: 'As it is now.', schema: ExtensionAnswer }],
    problems: [...problems, 'unknown_extension'],
    async handler({ params: { number }, caller }) {
      const extension = await orStoreAway(extensions.find(caller.tenantId, number))
      if (!extension) throw new Problem('unknown_extension')
      return { data: describeExtension(extension) }
    },
  })

const putExtension = ({ pbxAuth, provisionExtensions }: ExtensionRouteDeps): Route =>
  route({
    method: 'put',
    path: pathOfOne,
    tag,
    summary: 'Create or change an extension',
    description:
      'What is not given stays as it is. A licence is good for so many extensions. One more than that is refused; what there is can always be changed, and calls go on.',
    auth: pbxAuth,
    params,
    body: ExtensionBody,
    replies: [{ status: 200, description: 'As it is now.', schema: ExtensionAnswer }],
    problems: [...problems, 'too_many_extensions', 'rate_limited'],
    async handler({ params: { number }, body, caller }) {
      const change = toChange({ ...body, number })
      const [written] = await orStoreAway(provisionExtensions(caller.tenantId, [change]))
      if (!written) throw new Problem('unknown_extension')
      if (written.status === 'refused') throw noRoom(written)
      return { data: describeExtension(written.extension) }
    },
  })

const deleteExtension = (deps: ExtensionRouteDeps): Route =>
  route({
    method: 'delete',
    path: pathOfOne,
    tag,
    summary: 'Remove an extension with all that is its own',
    description:
      'Its phones and sessions, its part in call records, and the voicemail boxes that are nobody else’s: who gets the number next sees nothing of it.',
    auth: deps.pbxAuth,
    params,
    replies: [{ status: 200, description: 'It is gone.', schema: z.object({ status: z.literal('ok') }) }],
    problems: [...problems, 'unknown_extension'],
    async handler({ params: { number }, caller: { tenantId } }) {
      const now = new Date(deps.clock.now())
      const gone = await orStoreAway(deps.extensionRemoval.remove(tenantId, number, now))
      if (!gone) throw new Problem('unknown_extension')
      deps.files.eraseSoon(gone.files)
      await deps.deviceMoves.forget({ tenantId, extension: number })
      await deps.presence.forget(tenantId, number)
      return { data: { status: 'ok' } }
    },
  })

const toChange = ({ number, ...body }: z.output<typeof ExtensionItem>): NewExtension => ({
  number,
  name: body.name,
  email: body.email,
  dnd: body.dnd,
  password: body.password,
  followMeEnabled: body.follow_me_enabled,
  followMeConfirm: body.follow_me_confirm,
  followMeStrategy: body.follow_me_strategy,
  followMeDestinations: body.follow_me_destinations,
})
