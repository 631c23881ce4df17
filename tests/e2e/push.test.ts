import { until } from '../support/conditions.ts'
import { apnsToken, BACKENDS, fcmToken, startTestGateway } from '../support/gateway.ts'

describe.each(BACKENDS)('POST /v1/push on %s', (backend) => {
  test('wakes an iPhone and says so when Apple has accepted the push', async () => {
    await using gateway = await startTestGateway({ backend })
    const token = apnsToken()

    const answer = await gateway.push({
      push_token: token,
      call_id: 'a84b4c76e66710@10.0.0.5',
      caller_name: 'Ada',
    })

    expect(answer.status).toBe(200)
    expect(answer.json.error).toBeUndefined()
    expect(answer.json.data).toMatchObject({
      delivered: true,
      call_id: 'a84b4c76e66710@10.0.0.5',
      status: 'delivered',
      token_valid: true,
      attempts: 1,
    })
    expect(answer.text.length).toBeLessThan(4_096)
    const [arrived, ...others] = gateway.simulators.apns.received
    expect(others).toEqual([])
    expect(arrived).toMatchObject({
      token,
      apnsId: answer.json.data.push_id,
      payload: {
        type: 'incoming_call',
        caller_id: '1001',
        caller_name: 'Ada',
        sip_call_id: 'a84b4c76e66710@10.0.0.5',
      },
      verdict: { status: 200 },
    })
    const [row] = await until(
      async () => {
        const rows = await gateway.pushLog()
        return rows[0]?.closed_at ? rows : undefined
      },
      { description: 'the row is closed' },
    )
    expect(row).toMatchObject({
      state: 'delivered',
      provider: 'apns',
      attempts: 1,
      call_id: 'a84b4c76e66710@10.0.0.5',
    })
    expect(JSON.stringify(row)).not.toContain(token)
  })

  test('wakes an Android phone', async () => {
    await using gateway = await startTestGateway({ backend })
    const token = fcmToken()
    const answer = await gateway.push({ push_token: token, push_platform: 'fcm' })
    expect(answer.json.data).toMatchObject({ delivered: true, status: 'delivered' })
    expect(gateway.simulators.fcm.received).toHaveLength(1)
  })
})
