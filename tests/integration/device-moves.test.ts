import { createDeviceMoves } from '../../src/devices/device-moves.ts'
import type { Phones } from '../../src/devices/phone-store.ts'
import { rememberPhones } from '../../src/devices/remembered-phones.ts'
import type { SignalListener } from '../../src/signals/signals.ts'
import { until } from '../support/conditions.ts'
import { cloneDatabase } from '../support/databases.ts'
import { apnsToken, BACKENDS, callId, startTestGateway } from '../support/gateway.ts'

/** While the database is away, phones are called from memory; not for who has lost them before. */
test.each(BACKENDS)('no process calls a phone for its former owner from memory, on %s', async (backend) => {
  await using gateway = await startTestGateway({ backend, workers: false, nodes: 2 })
  const phonesOf: Phones = { dnd: false, tokens: [] }
  let isAway = false
  const listening: Promise<void>[] = []
  const processes = gateway.nodes.map(({ context }) => {
    const find = async () => {
      if (isAway) throw new Error('the database is away')
      return phonesOf
    }
    const phones = rememberPhones({ find }, () => undefined)
    const { events, clock } = context
    const signals = {
      put: context.signals.put,
      subscribe(channel: string, listener: SignalListener) {
        const subscription = context.signals.subscribe(channel, listener)
        listening.push(subscription.ready)
        return subscription
      },
    }
    const moves = createDeviceMoves({ phones, signals, events, clock, announce: async () => undefined })
    return { phones, moves }
  })
  for (const { phones } of processes) for (const number of ['100', '200']) await phones.find('t', number)
  isAway = true
  for (const { phones } of processes) expect(await phones.find('t', '100')).toBe(phonesOf)
  // Nobody is told what was said before he listened.
  await Promise.all(listening)

  await processes[0]?.moves.moved([{ tenantId: 't', extension: '100' }])
  for (const { phones } of processes) {
    const isForgotten = () =>
      phones.find('t', '100').then(
        () => false,
        () => true,
      )
    await until(isForgotten, { description: 'the phones of the extension are forgotten' })
    expect(await phones.find('t', '200')).toBe(phonesOf)
  }
  for (const { moves } of processes) moves.close()
})

test('with the database away nobody is called from memory who has lost a phone, or whom his PBX has made silent', async () => {
  await using database = await cloneDatabase()
  await using gateway = await startTestGateway({ backend: 'redis', databaseUrl: database.url, nodes: 2 })
  const numbers = ['100', '200', '300', '400']
  await gateway.givenSilentPhones(numbers)
  const [, other] = gateway.nodes
  const callsAt = (extension: string) =>
    gateway.request('POST', '/api/v1/pbx/calls', {
      body: { call_id: callId(), extension, caller_id: '1' },
      headers: { authorization: `Bearer ${gateway.tenant.pbxKey}`, prefer: 'wait=1' },
      ...(other && { base: other.url }),
    })
  for (const number of numbers) await callsAt(number)

  // The eleventh phone of 100, one that is registered again of 200.
  for (let i = 0; i < 10; i += 1) {
    const body = { tokens: [{ kind: 'apns_voip', token: apnsToken() }] }
    await gateway.pbx('PUT', `/extensions/100/devices/more-${i}`, { body })
  }
  await gateway.pbx('PUT', '/extensions/200/devices/phone-200', {
    body: { tokens: [{ kind: 'apns_voip', token: apnsToken() }] },
  })
  await gateway.pbx('PUT', '/extensions/300', { body: { dnd: true } })
  await gateway.pbx('POST', '/extensions', {
    body: [
      { number: '400', dnd: true },
      { number: '200', dnd: false },
    ],
  })
  await database.drop()
  for (const number of ['100', '300', '400']) {
    await until(async () => (await callsAt(number)).status === 503, {
      description: `the other node has forgotten ${number}`,
    })
  }
  expect((await callsAt('200')).json.data.pushes).toHaveLength(1)
})
