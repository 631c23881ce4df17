import type { z } from 'zod'
import type { CallRecordStore } from '../devices/call-record-store.ts'
import { type AuthScheme, type Route, route } from '../http/route.ts'
import type { Clock } from '../lib/clock.ts'
import { orStoreAway } from '../lib/store-away.ts'
import {
  CallRecordBody,
  CallRecordsAnswer,
  CallRecordsBody,
  MAX_RECORDS,
  toUpdate,
} from './call-record-schemas.ts'
import { describeRefusal, judgeItems, nameOf } from './judged-items.ts'
import type { PbxKey } from './pbx-key-store.ts'

export interface CallRecordRouteDeps {
  pbxAuth: AuthScheme<PbxKey>
  callRecords: CallRecordStore
  clock: Clock
}

type Result = z.output<typeof CallRecordsAnswer>['results'][number]

/** What the PBX knows of calls; the app shows it as history. */
export const callRecordRoutes = (deps: CallRecordRouteDeps): Route[] => [reportCalls(deps)]

const reportCalls = ({ pbxAuth, callRecords, clock }: CallRecordRouteDeps): Route =>
  route({
    method: 'post',
    path: '/api/v1/pbx/call-records',
    tag: 'PBX',
    summary: 'Tell the records of calls',
    description: `One call record (\`CallRecord\`) or an array of up to ${MAX_RECORDS}, each judged by itself; a single one that is wrong is a 400. A call is known by its \`call_id\`: told again, it changes only in what is given. Once a call has ended (\`end_time\`, or a \`disposition\` of no_answer, cancelled, busy or failed), an update that does not tell the end itself only adds what is missing.`,
    auth: pbxAuth,
    body: CallRecordsBody,
    // Records of some 1 kB, and room for long names.
    bodyLimit: '2mb',
    replies: [{ status: 200, description: 'What became of each of them.', schema: CallRecordsAnswer }],
    problems: ['invalid_request', 'unauthorized', 'invalid_credentials', 'store_unavailable'],
    async handler({ body, caller }) {
      const judged = judgeItems(CallRecordBody, body)
      const updates = judged.flatMap(({ value }) => (value ? toUpdate(value) : []))
      const told = await orStoreAway(callRecords.report(caller.tenantId, updates, clock.now()))
      const reports = told.values()
      const results = judged.map(({ value, problem }, index): Result => {
        if (problem) return { call_id: nameOf([body].flat()[index], 'call_id'), ...describeRefusal(problem) }
        return { call_id: value.call_id, status: reports.next().value ?? 'unchanged' }
      })
      return { data: { results } }
    },
  })
