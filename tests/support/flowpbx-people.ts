import { logIn, SIP_PASSWORD } from './app-login.ts'
import { must, type TestGateway } from './gateway.ts'
import { wav } from './recordings.ts'
import { MULTIPART, multipart, parts } from './voicemail.ts'

/** What a PBX tells of its people, so that their apps have something to show. */
export function givenPbx(gateway: TestGateway, pbxKey = gateway.tenant.pbxKey) {
  const headers = { authorization: `Bearer ${pbxKey}` }
  const tell = (method: string, path: string, body: unknown) =>
    must(gateway.pbx(method, path, { body, headers }))
  return {
    extension: (number: string, change: Record<string, unknown>) =>
      tell('PUT', `/extensions/${number}`, { password: SIP_PASSWORD, ...change }),
    change: (number: string, change: Record<string, unknown>) => tell('PUT', `/extensions/${number}`, change),
    settings: (change: Record<string, unknown>) => tell('PUT', '/settings', change),
    calls: (records: readonly Record<string, unknown>[]) => tell('POST', '/call-records', records),
    /** In the box of this extension, which is nobody else's; gives its id. */
    async message(extension: string, audio = wav(), fields: Record<string, string> = {}): Promise<number> {
      await tell('PUT', `/voicemail-boxes/${extension}`, { extensions: [extension] })
      const response = await fetch(`${gateway.url}/api/v1/pbx/voicemail`, {
        method: 'POST',
        headers: { ...headers, ...MULTIPART },
        body: multipart(parts({ box: extension, ...fields }, audio)) as Buffer<ArrayBuffer>,
      })
      if (response.status !== 201) throw new Error(`the message was refused with ${response.status}`)
      return ((await response.json()) as { data: { id: number } }).data.id
    },
  }
}

/** On every request of the app, whether it has a body or not. */
const APP_HEADERS = { 'content-type': 'application/json', accept: 'application/json' }

/** The app, asking with this `Authorization`, or with none. */
export const flowpbxApp =
  ({ request }: Pick<TestGateway, 'request'>, authorization?: string) =>
  (method: string, path: string, body?: unknown) =>
    request(method, `/api/v1${path}`, {
      headers: { ...APP_HEADERS, ...(authorization !== undefined && { authorization }) },
      ...(body !== undefined && { body }),
    })

export type FlowpbxPerson = Awaited<ReturnType<typeof logInPerson>>

/** On a phone of its own. */
export async function logInPerson(gateway: TestGateway, number: string) {
  const { token } = await must(logIn(gateway, number))
  const authorization = `Bearer ${token}`
  return { number, token: String(token), authorization, ask: flowpbxApp(gateway, authorization) }
}

export const RECORDING = wav({ seconds: 3 })

/**
 * Three people with their apps. Ada (1001) has a voicemail message, a call of which all is known, and one of which little is; her
 * colleague Grace (1002) has nothing, and neither has Eve (2001), who belongs to another PBX.
 */
export async function givenFlowpbxPeople(gateway: TestGateway) {
  const [pbx, otherPbx] = [givenPbx(gateway), givenPbx(gateway, (await gateway.otherTenant()).pbxKey)]
  await Promise.all([
    pbx.extension('1001', { name: 'Ada' }),
    pbx.extension('1002', { name: 'Grace' }),
    otherPbx.extension('2001', { name: 'Eve' }),
  ])
  const fields = { caller_id_num: '0301234567', transcription: 'Call me back.' }
  const message = await pbx.message('1001', RECORDING, fields)
  await pbx.calls([
    {
      ...{ call_id: 'answered@10.0.0.5', caller_id_name: 'Bob', caller_id_num: '0309999', callee: '1001' },
      ...{ start_time: '2026-11-01T08:00:00Z', answer_time: '2026-11-01T08:00:05Z' },
      ...{ end_time: '2026-11-01T08:02:05Z', duration: 125, billable_dur: 120, trunk_id: 7 },
      ...{ direction: 'inbound', disposition: 'answered', hangup_cause: 'NORMAL_CLEARING' },
    },
    {
      call_id: 'begun@10.0.0.5',
      start_time: '2026-11-01T09:00:00Z',
      caller_id_num: '1001',
      callee: '0309999',
    },
  ])
  const [ada, grace, eve] = await Promise.all([
    logInPerson(gateway, '1001'),
    logInPerson(gateway, '1002'),
    logInPerson(gateway, '2001'),
  ])
  return { pbx, ada, grace, eve, message }
}
