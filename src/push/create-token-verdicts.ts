import { hash } from 'node:crypto'
import { judgeDead, judgeSuspect } from '../devices/judge-token.ts'
import type { TokenRecords, TokenRecordsStore } from '../devices/token-records-store.ts'
import type { TokenVerdict } from '../devices/token-verdict.ts'
import { tellJudged, tellRestored } from '../devices/verdict-news.ts'
import type { Clock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { toError } from '../lib/error.ts'
import { SECOND } from '../lib/units.ts'
import type { Events } from '../observability/events.ts'
import { createContestedTokens } from './contested-tokens.ts'
import type { Outcome } from './outcome.ts'
import type { ApnsEnvironment, Push } from './push.ts'
import type { TokenState } from './push-result.ts'
import { createTokenBreaker } from './token-breaker.ts'
import type { Accusation, TokenVerdicts } from './token-verdicts.ts'

/** The answer of a push waits no longer for the books of its token. */
const STORE_MS = SECOND
/** How often an open breaker is looked at when no answers come. */
const REVIEW_MS = SECOND
/** Tokens not ours of which we remember the environment, the oldest out. */
const MAX_ENVIRONMENTS = 10_000

export interface TokenVerdictsDeps {
  tokenRecords: TokenRecordsStore
  events: Events
  clock: Clock
}

/** What answers of providers do to device tokens, with the database behind it. */
export function createTokenVerdicts(deps: TokenVerdictsDeps): TokenVerdicts & { close(): void } {
  const { tokenRecords, events, clock } = deps
  const onError = (error: unknown) => events.backgroundError('token-verdicts', toError(error))
  const { breaker, close } = createAlarmedBreaker(deps)
  const environments = new Map<string, ApnsEnvironment>()
  const contested = createContestedTokens({
    load: (since, limit) => tokenRecords.verdicts.contestable(new Date(since), limit),
    clock,
    onError,
  })
  const environmentOf = ({ deviceId, tokenHash, environment }: Push): ApnsEnvironment =>
    (deviceId === undefined ? environments.get(tokenHash) : undefined) ?? environment

  const judged = async (push: Push, accusation: Accusation, sentAt: number): Promise<TokenState> => {
    const sentence = await judge(deps, push, accusation, sentAt)
    if (!sentence) return 'valid'
    const { verdict, isNews } = sentence
    // Nothing is sent any more to a token of ours that is dead; what was under way speaks neither for it nor against it.
    const isGone = verdict.state === 'dead' && verdict.deviceId !== undefined
    contested[isGone ? 'drop' : 'add'](push.tokenHash)
    if (isNews) events.tokenJudged(push, verdict)
    return verdict.state
  }
  const restore = (push: Push): Promise<void> =>
    tokenRecords.alone(push.tokenHash, (records) => forget(records, push))

  return {
    close,
    environmentOf,
    observe(push, outcome) {
      if (outcome.kind === 'retry' || outcome.kind === 'unknown') return
      breaker.observe(push, push.tokenHash, complaintOf(outcome))
      if (outcome.kind !== 'accepted' || !contested.take(push.tokenHash)) return
      restore(push).catch((error: unknown) => {
        contested.add(push.tokenHash)
        onError(error)
      })
    },
    async accuse(push, accusation, sentAt) {
      const there = { ...push, environment: environmentOf(push) }
      if (complaintOf(accusation) === undefined || breaker.isOpen(there, accusation.reason)) return 'valid'
      try {
        return await within(STORE_MS, 'judging a token', judged(there, accusation, sentAt))
      } catch (error) {
        onError(error)
        return accusation.kind === 'token_dead' ? 'dead' : 'quarantined'
      }
    },
    isProbed: (push, reason) =>
      within(
        STORE_MS,
        'looking for a verdict',
        wasSaid(deps, { ...push, environment: environmentOf(push) }, reason),
      ).catch((error: unknown) => {
        onError(error)
        return false
      }),
    async moved(push, environment) {
      if (push.deviceId === undefined) remember(environments, push.tokenHash, environment)
      const moving = tokenRecords.alone(push.tokenHash, (records) => move(records, push, environment))
      await within(STORE_MS, 'moving a token', moving).catch(onError)
    },
  }
}

/** The reason, if the answer is about the token and not about what we made of the push. */
const complaintOf = (outcome: Outcome): string | undefined =>
  outcome.kind === 'token_dead' || (outcome.kind === 'rejected' && outcome.class === 'token')
    ? outcome.reason
    : undefined

/** Says when it opens and when it closes. */
function createAlarmedBreaker({ events, clock }: TokenVerdictsDeps) {
  let watch: NodeJS.Timeout | undefined
  const close = () => {
    clearInterval(watch)
    watch = undefined
  }
  const breaker = createTokenBreaker({
    clock,
    onChange(scope, reason, isOpen) {
      events.tokenBreaker(scope, reason, isOpen)
      watch ??= setInterval(() => void (breaker.review() || close()), REVIEW_MS).unref()
    },
  })
  return { breaker, close }
}

/** Undefined: the accusation came too late, the token was registered again or is no longer the one of its device. */
async function judge(
  { tokenRecords, clock }: TokenVerdictsDeps,
  push: Push,
  accusation: Accusation,
  sentAt: number,
): Promise<{ verdict: TokenVerdict; isNews: boolean } | undefined> {
  const token = { kind: push.tokenKind, environment: push.environment, tokenHash: push.tokenHash }
  const isDead = accusation.kind === 'token_dead'
  // Without a date of the vendor: as of this try, so that a registration during the try survives.
  const since = (isDead ? accusation.deadSince : undefined) ?? sentAt

  return tokenRecords.alone(push.tokenHash, async ({ tokens, verdicts, evidence, announce }) => {
    const own = await tokens.registrationOf(token, push)
    if (own ? own.registeredAt >= since : push.deviceId !== undefined) return undefined

    const found = await verdicts.find(push.tenantId, token)
    const standing = found && own && own.registeredAt >= found.firstAt ? undefined : found
    const now = clock.now()
    const said: TokenVerdict = {
      ...token,
      tenantId: push.tenantId,
      tokenSha256: hash('sha256', push.token),
      appId: push.appId,
      ...(own && { deviceId: own.deviceId, extension: own.extension }),
      state: isDead ? 'dead' : 'quarantined',
      reason: accusation.reason,
      detail: accusation.detail,
      firstAt: now,
      lastAt: now,
      times: 1,
    }
    const verdict = isDead
      ? judgeDead(said, standing)
      : await judgeSuspect(said, standing, {
          wasDelivered: (from) => evidence.wasDelivered(push.tokenHash, from),
          appHasWorked: (from) => evidence.appHasWorked(push, from),
        })
    if (own && verdict.state === 'dead') {
      const deadSince = new Date(isDead ? since : verdict.firstAt)
      await tokens.invalidate({ ...token, deadSince, reason: verdict.reason })
    }
    await verdicts.put([verdict])
    const isNews = found?.state !== verdict.state
    if (isNews) await tellJudged(announce, verdict)
    return { verdict, isNews }
  })
}

/** A verdict says so only after the other gateway was asked as well. */
async function wasSaid({ tokenRecords }: TokenVerdictsDeps, push: Push, reason: string): Promise<boolean> {
  const token = { kind: push.tokenKind, environment: push.environment, tokenHash: push.tokenHash }
  const found = await tokenRecords.verdicts.find(push.tenantId, token)
  if (found?.reason !== reason) return false
  const own = await tokenRecords.tokens.registrationOf(token, push)
  return !own || own.registeredAt < found.firstAt
}

async function forget({ verdicts, announce }: TokenRecords, push: Push): Promise<void> {
  const { tenantId, tokenKind: kind, tokenHash } = push
  await tellRestored(announce, await verdicts.clear(tenantId, { kind, tokenHash }))
}

/** What was held against the token is over. */
async function move(records: TokenRecords, push: Push, to: ApnsEnvironment): Promise<void> {
  const { tokens } = records
  const environment = to === 'production' ? 'sandbox' : 'production'
  const token = { kind: push.tokenKind, environment, tokenHash: push.tokenHash } as const
  const own = await tokens.registrationOf(token, push)
  if (own) await tokens.move(token, own.deviceId, to)
  await forget(records, push)
}

function remember(
  known: Map<string, ApnsEnvironment>,
  tokenHash: string,
  environment: ApnsEnvironment,
): void {
  known.delete(tokenHash)
  known.set(tokenHash, environment)
  if (known.size <= MAX_ENVIRONMENTS) return
  const [oldest = tokenHash] = known.keys()
  known.delete(oldest)
}
