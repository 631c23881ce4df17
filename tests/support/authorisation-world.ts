import { randomUUID } from 'node:crypto'
import { newId } from '../../src/lib/ids.ts'
import { createTenant } from '../../src/license/create-tenant.ts'
import { type AppUser, givenAppUser } from './app-callers.ts'
import { SIP_PASSWORD } from './app-login.ts'
import { apnsToken, must, type TestGateway } from './gateway.ts'
import { MULTIPART, multipart, parts } from './voicemail.ts'

/** Somebody of a tenant, and everything of his that has an id. Two of them are alike but for their ids and marks. */
export interface Owner {
  /** Stands in all that is his, and in nothing else. */
  mark: string
  /** His extension; only his tenant has it, and only he. */
  number: string
  deviceId: string
  device: string
  session: string
  voicemail: number
  user: AppUser
  /** Someone of his tenant with whom nobody else talks. */
  peer: string
  /** A group of these two, which is his. */
  conversation: string
  message: string
  token: string
}

export interface Customer {
  licenseKey: string
  licenseId: string
  pbxKey: string
  tenantId: string
  installation: string
  fingerprint: string
  call: string
  push: string
  webhook: string
  event: string
  /** Colleagues. */
  owners: readonly [Owner, Owner]
}

/** Two customers with two people each. */
export const givenWorld = async (gateway: TestGateway): Promise<readonly [Customer, Customer]> =>
  Promise.all([givenCustomer(gateway), givenCustomer(gateway)])

async function givenCustomer(gateway: TestGateway): Promise<Customer> {
  const { request, context } = gateway
  const tenant = await createTenant(context, { name: 'customer', tier: 'professional' })
  const licensed = { 'x-license-key': tenant.licenseKey }
  const asPbx = { authorization: `Bearer ${tenant.pbxKey}` }
  const owners = await Promise.all([givenOwner(gateway, tenant), givenOwner(gateway, tenant)])
  const [first] = owners
  const fingerprint = `machine-${newId()}`
  const seat = { hostname: `pbx-${newId()}`, version: '1', fingerprint }
  const { instance_id } = await must(
    request('POST', '/v1/license/activate', { body: seat, headers: licensed }),
  )
  const url = `https://example.com/${newId()}`
  const webhook = await must(request('POST', '/v1/webhooks', { body: { url }, headers: licensed }))
  const test = await must(request('POST', `/v1/webhooks/${webhook.id}/test`, { body: {}, headers: licensed }))
  const push = await must(
    gateway.push({ license_key: tenant.licenseKey }, { headers: { prefer: 'respond-async' } }),
  )
  const call = await must(
    request('POST', '/api/v1/pbx/calls', {
      body: { call_id: newId(), extension: first.number, caller_id: '1' },
      headers: asPbx,
    }),
  )
  return {
    ...tenant,
    installation: instance_id,
    fingerprint,
    call: call.id,
    push: push.push_id,
    webhook: webhook.id,
    event: test.event_id,
    owners,
  }
}

async function givenOwner(
  gateway: TestGateway,
  { tenantId, pbxKey }: { tenantId: string; pbxKey: string },
): Promise<Owner> {
  const { request } = gateway
  const mark = randomUUID()
  const number = `n${mark.slice(0, 8)}`
  const deviceId = `phone-${mark}`
  const headers = { authorization: `Bearer ${pbxKey}` }
  await must(
    request('PUT', `/api/v1/pbx/extensions/${number}`, {
      body: { name: mark, password: SIP_PASSWORD },
      headers,
    }),
  )
  const user = await givenAppUser(gateway, { tenantId, extension: number, name: mark, deviceKey: deviceId })
  const device = await must(
    user.post('/devices/register', {
      device_id: deviceId,
      platform: 'apns',
      name: mark,
      tokens: { voip: apnsToken(), alert: apnsToken() },
    }),
  )
  await must(
    request('PUT', `/api/v1/pbx/voicemail-boxes/${number}`, {
      body: { extensions: [number], name: mark },
      headers,
    }),
  )
  const uploaded = await fetch(`${gateway.url}/api/v1/pbx/voicemail`, {
    method: 'POST',
    headers: { ...headers, ...MULTIPART },
    body: multipart(parts({ box: number, caller_id_name: mark })) as Buffer<ArrayBuffer>,
  })
  const voicemail = ((await uploaded.json()) as { data: { id: number } }).data.id
  await must(
    request('POST', '/api/v1/pbx/call-records', {
      body: {
        call_id: newId(),
        start_time: new Date().toISOString(),
        caller_id_num: number,
        caller_id_name: mark,
        callee: '2',
        direction: 'outbound',
        disposition: 'answered',
      },
      headers,
    }),
  )
  return {
    ...{ mark, number, deviceId, device: device.id, session: user.sessionId, voicemail, user },
    token: device.tokens[0].id,
    ...(await givenTalk(user, mark, headers, gateway)),
  }
}

async function givenTalk(
  user: AppUser,
  mark: string,
  headers: Record<string, string>,
  { request }: TestGateway,
): Promise<Pick<Owner, 'peer' | 'conversation' | 'message'>> {
  const peer = `p${mark.slice(0, 8)}`
  await must(request('PUT', `/api/v1/pbx/extensions/${peer}`, { body: { name: mark }, headers }))
  const group = await must(user.post('/api/v1/app/conversations', { title: mark, extensions: [peer] }))
  const path = `/api/v1/app/conversations/${group.id}/messages`
  const message = await must(user.post(path, { client_id: mark, content: mark }))
  return { peer, conversation: group.id, message: message.id }
}
