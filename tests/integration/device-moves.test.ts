import { createDeviceMoves } from '../../src/devices/device-moves.ts'
import type { Phones } from '../../src/devices/phone-store.ts'
import { rememberPhones } from '../../src/devices/remembered-phones.ts'
import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'

/** While the database is away, phones are called from memory; not for who has lost them before. */
test.each(BACKENDS)('no process calls a phone for its former owner from memory, on %s', async (backend) => {
  await using gateway = await startTestGateway({ backend, workers: false, nodes: 2 })
  const phonesOf: Phones = { dnd: false, tokens: [] }
  let isAway = false
  const processes = gateway.nodes.map(({ context }) => {
    const find = async () => {
      if (isAway) throw new Error('the database is away')
      return phonesOf
    }
    const phones = rememberPhones({ find }, () => undefined)
    const { signals, events, clock } = context
    const moves = createDeviceMoves({ phones, signals, events, clock, announce: async () => undefined })
    return { phones, moves }
  })
  for (const { phones } of processes) for (const number of ['100', '200']) await phones.find('t', number)
  isAway = true
  for (const { phones } of processes) expect(await phones.find('t', '100')).toBe(phonesOf)

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
