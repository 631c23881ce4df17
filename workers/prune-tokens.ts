import { hash } from 'node:crypto'
import type { Context } from '../src/context.ts'
import type { StaleToken } from '../src/devices/device-token-store.ts'
import { tokenContext } from '../src/devices/register-device.ts'
import type { TokenVerdict } from '../src/devices/token-verdict.ts'
import { tellJudged } from '../src/devices/verdict-news.ts'
import { toError } from '../src/lib/error.ts'
import type { Keyring } from '../src/lib/keyring.ts'
import { DAY } from '../src/lib/units.ts'
import type { Processor } from '../src/queue/run-workers.ts'

type Deps = Pick<Context, 'tokenRecords' | 'keyring' | 'clock' | 'events'>

/**
 * Google gives an Android token up when its phone was not there for 270 days; Apple names no time:
 * https://firebase.google.com/docs/cloud-messaging/manage-tokens
 */
export const STALE_AFTER_MS = 270 * DAY
/** What nobody has repeated since, its owner has heard of or will never ask for. */
export const KEEP_VERDICTS_MS = 90 * DAY
const BATCH = 500
/** What is beyond waits for tomorrow: other housekeeping comes after this. */
const MAX_BATCHES = 20

/** Gives up the tokens of phones that nobody has seen for long, and forgets old verdicts. */
export const pruneTokens = (deps: Deps): Processor<'prune-tokens'> => ({
  async run() {
    const { tokenRecords, clock } = deps
    await inBatches(() => giveUpStale(deps))
    await inBatches(() => tokenRecords.verdicts.prune(new Date(clock.now() - KEEP_VERDICTS_MS), BATCH))
  },
})

async function inBatches(batch: () => Promise<number>): Promise<void> {
  for (let done = 0; done < MAX_BATCHES; done += 1) {
    if ((await batch()) < BATCH) return
  }
}

async function giveUpStale(deps: Deps): Promise<number> {
  const { tokenRecords, clock, events } = deps
  const now = clock.now()
  const found = await tokenRecords.together(async ({ tokens, verdicts, announce }) => {
    const stale = await tokens.stale(new Date(now - STALE_AFTER_MS), BATCH)
    await tokens.invalidateRows(
      stale.map(({ id }) => id),
      'stale',
    )
    const told = stale.flatMap((token) => toVerdict(deps, token, now) ?? [])
    await verdicts.put(told)
    for (const verdict of told) await tellJudged(announce, verdict)
    return stale.length
  })
  if (found > 0) events.tokensPruned(found)
  return found
}

/** Undefined: the token cannot be opened, so nobody can be told which one it is. It could not have been pushed to either. */
function toVerdict({ keyring, events }: Deps, token: StaleToken, now: number): TokenVerdict | undefined {
  try {
    const { tenantId, kind, environment, tokenHash, appId, deviceId, extension } = token
    return {
      ...{ tenantId, kind, environment, tokenHash, appId, deviceId, extension },
      tokenSha256: sha256Of(keyring, token),
      state: 'dead',
      reason: 'stale',
      detail: 'The phone was not seen for 270 days.',
      ...{ firstAt: now, lastAt: now, times: 1 },
    }
  } catch (error) {
    events.backgroundError('prune-tokens', toError(error))
    return undefined
  }
}

const sha256Of = (keyring: Keyring, { tokenSealed, tokenHash }: StaleToken): string =>
  hash('sha256', keyring.open(tokenSealed, tokenContext(tokenHash)))
