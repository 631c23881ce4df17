import { newId } from '../../src/lib/ids.ts'
import { givenAppUser } from '../support/app-callers.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway, type TestGateway } from '../support/gateway.ts'

/** `GET /api/v1/app/directory`: who there is, whose telephone is registered, and whom a call can wake. */
describe.each(BACKENDS)('the directory on %s', (backend) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({ backend, workers: false, nodes: 2 })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const customer = async () => {
    const tenant = await gateway.otherTenant()
    const ada = await givenAppUser(gateway, { tenantId: tenant.tenantId, extension: '100', name: 'Ada' })
    const asPbx = (method: string, path: string, body: unknown, node = 0) =>
      gateway.request(method, `/api/v1/pbx${path}`, {
        body,
        headers: { authorization: `Bearer ${tenant.pbxKey}` },
        base: gateway.nodes[node]?.url ?? '',
      })
    const registers = (report: Record<string, unknown>, node = 0) =>
      asPbx('POST', '/registrations', report, node)
    const entry = async (extension: string) =>
      (await ada.get('/api/v1/app/directory')).json.data.find(
        (one: { extension: string }) => one.extension === extension,
      )
    const givenExtension = (number: string, name?: string) =>
      gateway.context.extensions.put(tenant.tenantId, number, { name })
    return { tenant, ada, asPbx, registers, entry, givenExtension }
  }

  test('a bare array of every extension, sorted by its text', async () => {
    const { ada, givenExtension } = await customer()
    for (const [number, name] of [
      ['20', 'Bob'],
      ['1000', 'Cy'],
      ['Zoe', ''],
      ['anna', ''],
    ] as const)
      await givenExtension(number, name)
    const { status, json } = await ada.get('/api/v1/app/directory')
    expect(status).toBe(200)
    const nobody = { id: expect.any(Number), online: false, reachable: false }
    expect(json).toEqual({
      data: [
        { ...nobody, extension: '100', name: 'Ada' },
        { ...nobody, extension: '1000', name: 'Cy' },
        { ...nobody, extension: '20', name: 'Bob' },
        { ...nobody, extension: 'Zoe', name: '' },
        { ...nobody, extension: 'anna', name: '' },
      ],
    })
    expect(json.data[0].id).toBe(ada.extensionId)
  })

  test('a desk phone is online while it is registered, at whatever node that is told', async () => {
    const { registers, entry, givenExtension } = await customer()
    await givenExtension('200')
    const contact = '<sip:200@10.0.0.5:5060;transport=tls>;expires=300'
    expect((await registers({ extension: '200', contact }, 1)).json.data).toEqual({
      status: 'ok',
      counts: false,
    })
    expect(await entry('200')).toMatchObject({ online: true, reachable: true })
    expect(await entry('100')).toMatchObject({ online: false, reachable: false })
    // The same address, with other parameters.
    await registers({ extension: '200', contact: '<sip:200@10.0.0.5:5060>', expires: 0 })
    expect(await entry('200')).toMatchObject({ online: false, reachable: false })
  })

  test('of two telephones one goes, and the extension is still there', async () => {
    const { registers, entry, givenExtension } = await customer()
    await givenExtension('200')
    await registers({ extension: '200', contact: '<sip:200@10.0.0.5>' })
    await registers({ extension: '200', device_id: 'phone', mobile: true }, 1)
    await registers({ extension: '200', contact: '<sip:200@10.0.0.5>', expires: 0 }, 1)
    expect(await entry('200')).toMatchObject({ online: true })
    await registers({ extension: '200', device_id: 'phone', mobile: true, expires: 0 })
    expect(await entry('200')).toMatchObject({ online: false })
  })

  test('* takes every telephone away', async () => {
    const { registers, entry, givenExtension } = await customer()
    await givenExtension('200')
    await registers({ extension: '200', contact: '<sip:200@10.0.0.5>' })
    await registers({ extension: '200', contact: '<sip:200@10.0.0.6>' })
    await registers({ extension: '200', contact: '*', expires: 0 })
    expect(await entry('200')).toMatchObject({ online: false })
  })

  test('many telephones of one extension at the same moment are all noted', async () => {
    const { registers, entry, givenExtension } = await customer()
    await givenExtension('200')
    const contact = (n: number) => `<sip:200@10.0.0.${n}>`
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => registers({ extension: '200', contact: contact(n) })),
    )
    for (let n = 0; n < 9; n += 1) await registers({ extension: '200', contact: contact(n), expires: 0 })
    expect(await entry('200')).toMatchObject({ online: true })
    await registers({ extension: '200', contact: contact(9), expires: 0 })
    expect(await entry('200')).toMatchObject({ online: false })
  })

  test('a sleeping phone is reachable, until its token is dead; a token for messages wakes nobody', async () => {
    const { tenant, asPbx, entry, givenExtension } = await customer()
    await givenExtension('200')
    await givenExtension('300')
    const token = fcmToken()
    await asPbx('PUT', '/extensions/200/devices/android', { tokens: [{ kind: 'fcm', token }] })
    await asPbx('PUT', '/extensions/300/devices/iphone', {
      tokens: [{ kind: 'apns', token: apnsToken(), environment: 'production' }],
    })
    expect(await entry('200')).toMatchObject({ online: false, reachable: true })
    expect(await entry('300')).toMatchObject({ online: false, reachable: false })
    const devices = gateway.context.db('devices').select('id').where({ tenant_id: tenant.tenantId })
    await gateway.context
      .db('device_tokens')
      .whereIn('device_id', devices)
      .update({ invalidated_at: new Date() })
    expect(await entry('200')).toMatchObject({ online: false, reachable: false })
  })

  test('twins: the same extension of another tenant is another one', async () => {
    const [mine, theirs] = [await customer(), await customer()]
    for (const one of [mine, theirs]) await one.givenExtension('200')
    await theirs.givenExtension('300')
    await theirs.registers({ extension: '200', contact: '<sip:200@10.0.0.5>' })
    await theirs.asPbx('PUT', '/extensions/200/devices/a', { tokens: [{ kind: 'fcm', token: fcmToken() }] })
    expect(await theirs.entry('200')).toMatchObject({ online: true, reachable: true })
    expect(await mine.entry('200')).toMatchObject({ online: false, reachable: false })
    const [a, b] = await Promise.all([mine, theirs].map(({ ada }) => ada.get('/api/v1/app/directory')))
    const ids = (json: { data: { id: number }[] }) => json.data.map(({ id }) => id)
    expect(ids(a?.json)).toHaveLength(2)
    expect(ids(a?.json).filter((id) => ids(b?.json).includes(id))).toEqual([])
  })

  test('an extension with any characters is found again', async () => {
    const { registers, entry, givenExtension } = await customer()
    for (const number of ["'; --", 'a\nb', 'é', '*', '{x}:y', '__proto__']) {
      await givenExtension(number)
      await registers({ extension: number, contact: `<sip:${newId()}@10.0.0.5>` })
      expect(await entry(number)).toMatchObject({ online: true })
    }
  })

  test('ten thousand extensions are one answer', async () => {
    const { tenant, ada, registers, entry } = await customer()
    await gateway.context.db.raw(
      `INSERT INTO extensions (tenant_id, number, name)
       SELECT ?, (10000 + n)::text, 'Somebody ' || n FROM generate_series(1, 10000) AS n`,
      [tenant.tenantId],
    )
    await registers({ extension: '19999', contact: '<sip:19999@10.0.0.5>' })
    const { status, json } = await ada.get('/api/v1/app/directory')
    expect(status).toBe(200)
    expect(json.data).toHaveLength(10_001)
    expect(json.data.filter(({ online }: { online: boolean }) => online)).toHaveLength(1)
    expect(await entry('19999')).toMatchObject({ online: true, reachable: true })
  })
})
