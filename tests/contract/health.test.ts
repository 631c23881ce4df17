import { BACKENDS, startTestGateway } from '../support/gateway.ts'

/** `GET /api/v1/health`: what a PBX's own surface asks before anybody can log in. */
test.each(BACKENDS)('it says in the envelope whether there is a tenant yet, on %s', async (backend) => {
  await using gateway = await startTestGateway({ backend, workers: false })
  await gateway.context.db.raw('TRUNCATE tenants CASCADE')
  const ask = () => gateway.request('GET', '/api/v1/health')
  const fresh = await ask()
  expect([fresh.status, fresh.json]).toEqual([200, { data: { status: 'ok', needs_setup: true } }])
  await gateway.otherTenant()
  expect((await ask()).json).toEqual({ data: { status: 'ok', needs_setup: false } })
  // The other one of FlowPBX, for load balancers, has no envelope.
  expect((await gateway.request('GET', '/healthz')).json).toEqual({ status: 'ok' })
})
