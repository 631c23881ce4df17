import { simulatedToken } from '../embedded/simulated-tokens.ts'
import type { PbxClient } from './pbx-client.ts'
import type { Scenario } from './scenarios.ts'
import type { SimulatorClient } from './simulator-client.ts'

export interface Phone {
  token: string
  deviceId: string
}

/** An extension with a phone of its own. A fresh token each time: that of the last demo may be dead by now. */
export async function givePhone(
  { extension, platform, phone }: Scenario,
  pbx: PbxClient,
  simulators: SimulatorClient,
): Promise<Phone> {
  const token = simulatedToken(platform)
  const deviceId = `demo-${extension}`
  const own = {
    api_url: pbx.url,
    pbx_key: pbx.pbxKey,
    extension,
    device_id: deviceId,
    registers_after_ms: typeof phone === 'object' ? phone.registersAfterMs : null,
  }
  const dead = { answer: { status: 404, error_code: 'UNREGISTERED' } }
  await simulators.putPhone(token, { platform, ...(phone === 'dead token' ? dead : own) })
  await pbx.putExtension(extension, 'Wakeline demo')
  await pbx.putDevice(extension, deviceId, platform === 'apns' ? 'apns_voip' : 'fcm', token)
  return { token, deviceId }
}
