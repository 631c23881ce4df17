import { until } from '../support/conditions.ts'
import { BACKENDS, startTestGateway } from '../support/gateway.ts'

test.each(BACKENDS)(
  'workers of calls know the way to both vendors before the first call (%s)',
  async (backend) => {
    await using gateway = await startTestGateway({ backend })
    const { apns, fcm } = gateway.simulators
    await until(() => apns.openSessions === 1 && fcm.accessTokensIssued === 1, {
      description: 'there are a connection to Apple and an access token of Google',
    })
    expect([apns.received, fcm.received]).toEqual([[], []])
    expect((await gateway.push()).status).toBe(200)
    expect(apns.sessionCount).toBe(1)
  },
)
