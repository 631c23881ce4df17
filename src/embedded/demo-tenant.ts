import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { z } from 'zod'
import type { Context } from '../context.ts'
import { StartError } from '../lib/start-error.ts'
import { createTenant } from '../license/create-tenant.ts'
import type { DataDirectory } from './data-directory.ts'
import { DEMO_PHONES } from './demo-phones.ts'
import { simulatedToken } from './simulated-tokens.ts'

const DemoFile = z.object({
  tenant_id: z.string(),
  license_key: z.string(),
  pbx_key: z.string(),
  /** Push tokens of the demo's phones by extension: of no real phone. */
  tokens: z.record(z.string(), z.string()),
})
export type DemoTenant = z.output<typeof DemoFile> & {
  /** False when its keys were revoked, or belong to another secret. */
  usable: boolean
}

const FILE = 'demo.json'

type Deps = Pick<Context, 'licenseRecords' | 'pbxKeys' | 'keyring' | 'clock'>

/** The tenant to try things with: made at the first start on a database, kept with its keys in `demo.json`. */
export async function ensureDemoTenant(deps: Deps, directory: DataDirectory): Promise<DemoTenant> {
  const path = directory.file(FILE)
  if (existsSync(path)) {
    const demo = parse(path, await directory.secret(FILE, () => ''))
    const found = await deps.pbxKeys.findByKeyHash(deps.keyring.pbxKeyHash(demo.pbx_key))
    const isKnown = found !== undefined || (await deps.licenseRecords.tenants.exists(demo.tenant_id))
    if (isKnown) return { ...demo, usable: found !== undefined }
    // The file belongs to another database: DATABASE_URL has changed, or its data were removed.
    await rm(path)
  }
  const { tenantId, licenseKey, pbxKey } = await createTenant(deps, { name: 'Demo', tier: 'standard' })
  const demo = {
    tenant_id: tenantId,
    license_key: licenseKey,
    pbx_key: pbxKey,
    tokens: Object.fromEntries(
      DEMO_PHONES.map(({ extension, platform }) => [extension, simulatedToken(platform)]),
    ),
  }
  await directory.secret(FILE, () => `${JSON.stringify(demo, null, 2)}\n`)
  return { ...demo, usable: true }
}

function parse(path: string, text: string): z.output<typeof DemoFile> {
  try {
    return DemoFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new StartError(
      `${path} is not what Wakeline wrote: restore it, or remove it to get a new demo tenant.`,
      {
        cause,
      },
    )
  }
}
