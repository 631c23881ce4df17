import type { Context } from '../context.ts'
import { toError } from '../lib/error.ts'
import type { Simulators } from '../simulators/simulators.ts'
import { DEMO_PHONES } from './demo-phones.ts'
import type { DemoTenant } from './demo-tenant.ts'

type Deps = Pick<Context, 'extensions' | 'registerDevice' | 'appIds' | 'events'>

/**
 * Gives the demo tenant its extensions and switches their simulated phones on. At every start: phones live in memory, and the
 * dead token of 1003 has been given up by whoever called it before.
 */
export async function attachDemoPhones(
  deps: Deps,
  simulators: Simulators,
  demo: DemoTenant,
  url: string,
): Promise<void> {
  for (const { extension: number, platform, name, registersAfterMs } of DEMO_PHONES) {
    const token = demo.tokens[number]
    if (token === undefined) continue
    const deviceId = `demo-${number}`
    const extension =
      (await deps.extensions.find(demo.tenant_id, number)) ??
      (await deps.extensions.put(demo.tenant_id, number, { name: `Demo ${name}` }))
    await deps.registerDevice({
      tenantId: demo.tenant_id,
      extensionId: extension.id,
      deviceKey: deviceId,
      appId: deps.appIds[0] ?? '',
      name,
      tokens: [{ kind: platform === 'apns' ? 'apns_voip' : 'fcm', environment: 'production', token }],
    })
    if (registersAfterMs === undefined) {
      simulators.fcm.behaves(token, { status: 404, errorCode: 'UNREGISTERED' })
      continue
    }
    simulators.phones.add({
      platform,
      token,
      behaviour: { registersAfterMs },
      api: { url, pbxKey: demo.pbx_key, extension: number, deviceId },
      onError: (error) => deps.events.backgroundError('demo-phone', toError(error)),
    })
  }
}
