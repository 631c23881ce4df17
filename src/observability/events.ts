import { createSeldom } from '../lib/seldom.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Failure } from '../push/outcome.ts'
import { callIdOf, type Push } from '../push/push.ts'
import type { Lane } from '../push/push-kinds.ts'
import type { PushResult } from '../push/push-result.ts'
import type { BreakerScope } from '../push/token-breaker.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'

type AppLoginResult = 'accepted' | 'refused' | 'ambiguous' | 'locked'
const APP_LOGIN_SENTENCES = {
  refused: 'app login failed',
  ambiguous: 'app login for an extension of several tenants: set their app_host, or have the domain typed',
  locked: 'app login refused after too many failures',
}

/** One function per thing that happens: its counter and its log line are written together and cannot disagree. */
export function createEvents(logger: Logger, metrics: Metrics) {
  return {
    ...providerEvents(logger, metrics),
    ...limitEvents(logger, metrics),
    ...tokenEvents(logger, metrics),

    pushClosed(push: Push, result: PushResult): void {
      const { provider, kind } = push
      metrics.pushes.inc({ provider, kind, state: result.state, reason: result.reason ?? '' })
      if (result.answeredAt)
        metrics.pushSeconds.observe({ provider, kind }, (result.answeredAt - push.acceptedAt) / SECOND)
      const line = { push_id: push.id, call_id: callIdOf(push), kind, provider, ...result }
      // Rejected is our own payload, key or topic: a person must act, or no phone of this app will ring.
      if (result.state === 'rejected') logger.error(line, 'push rejected by the provider')
      else if (result.state === 'failed') logger.warn(line, 'push failed')
      else logger.debug(line, 'push ended')
    },

    /** A licence that has ended, or cannot be looked up, was let pass. */
    licenseGrace(reason: 'expired' | 'store_unavailable'): void {
      metrics.licenseGrace.inc({ reason })
    },

    /** Machines that nobody has seen for long gave their seats back. */
    installationsFreed(count: number): void {
      metrics.installationsFreed.inc(count)
      logger.info({ count }, 'seats of installations that were not seen for long were freed')
    },

    /** The queue is away and this process sends the call by itself. */
    callBypassed(push: Push, cause: Error): void {
      metrics.bypassed.inc({ provider: push.provider })
      logger.warn({ push_id: push.id, cause: cause.message }, 'queue away, sending the call from here')
    },

    /** Workers died of it over and over: somebody must look at it. */
    pushParked(push: Push): void {
      metrics.parked.inc({ kind: push.kind })
      logger.error({ push_id: push.id, kind: push.kind }, 'push parked: its workers kept dying')
    },

    /** Promised pushes that had no job in the queue. */
    pushesRequeued(count: number): void {
      metrics.requeued.inc(count)
      logger.info({ count }, 'pushes without a job were queued again')
    },

    holdEnded(call: { id: string; outcome: string; waitedMs: number; wokeAfterMs?: number }): void {
      metrics.holds.observe({ outcome: call.outcome }, call.waitedMs / SECOND)
      if (call.wokeAfterMs !== undefined) metrics.wakeSeconds.observe(call.wokeAfterMs / SECOND)
      logger.debug(call, 'hold ended')
    },

    /** A failed one is tried again. */
    webhookAttempted(result: 'delivered' | 'failed'): void {
      metrics.webhookAttempts.inc({ result })
    },

    /** An owner was not told, and will not be unless he asks for it. His URL may hold a secret and is not logged. */
    webhookGivenUp(
      lost: { webhookId: string; tenantId: string; eventId: string; type: string; attempts: number },
      why: { status?: number; error?: string },
    ): void {
      metrics.webhookAttempts.inc({ result: 'given_up' })
      const { webhookId, tenantId, eventId, type, attempts } = lost
      const line = { webhook_id: webhookId, tenant_id: tenantId, event_id: eventId, type, attempts, ...why }
      logger.warn({ event: 'webhook.given_up', ...line }, 'webhook delivery given up')
    },

    /** `ambiguous`: several tenants have such an extension, and nothing said whose is meant. */
    appLogin(result: AppLoginResult, line: Record<string, unknown>): void {
      metrics.appLogins.inc({ result })
      if (result === 'accepted') logger.info(line, 'app logged in')
      else logger.warn({ event: `app_login.${result}`, ...line }, APP_LOGIN_SENTENCES[result])
    },

    /** How far the clock of this host is ahead of that of the database, in seconds. `isTooFar`: calls get less time to ring, or too much. */
    clockSkew(seconds: number, isTooFar: boolean): void {
      metrics.clockSkewSeconds.set(seconds)
      if (!isTooFar) return
      const line = { event: 'clock.skew', skew_seconds: Number(seconds.toFixed(3)) }
      logger.error(line, 'the clock of this host and that of the database differ')
    },

    /** Something failed while nobody waited for it. */
    backgroundError(part: string, error: Error): void {
      metrics.backgroundErrors.inc({ part })
      logger.warn({ part, err: { message: error.message, name: error.name } }, 'background error')
    },
  }
}
export type Events = ReturnType<typeof createEvents>

function providerEvents(logger: Logger, metrics: Metrics) {
  const isSeldom = createSeldom(MINUTE)
  return {
    /** Nothing of the app gets through until a person mends something. Every try counts; the log says it once a minute. */
    providerRefused(
      { appId: app, provider, environment }: Pick<Push, 'appId' | 'provider' | 'environment'>,
      { reason, class: fault, detail, status }: Failure,
    ): void {
      metrics.providerRefusals.inc({ app, provider, reason, class: fault })
      if (!isSeldom(JSON.stringify([app, provider, environment, reason]))) return
      const line = { app, provider, environment, reason, class: fault, detail, provider_status: status }
      logger.error({ event: 'provider.refused', ...line }, 'the provider refuses the app')
    },

    /** The messages of an app wait for a provider, or go on. */
    providerCircuit({ appId: app, provider }: Pick<Push, 'appId' | 'provider'>, isOpen: boolean): void {
      metrics.providerDown.set({ app, provider }, isOpen ? 1 : 0)
      if (isOpen) logger.error({ app, provider }, 'provider fails, its messages wait')
      else logger.warn({ app, provider }, 'provider is back, its messages go on')
    },
  }
}

/** What somebody wanted too much of. */
function limitEvents(logger: Logger, metrics: Metrics) {
  return {
    /** Pushes beyond what a licence may push: in a short window (`burst`), in a day, or at all (`license`). */
    pushesRefused(lane: Lane, limit: 'burst' | 'day' | 'license', count: number): void {
      metrics.pushesRefused.inc({ lane, limit }, count)
    },

    /** A licence has used most of what it may push in a day. Once a day and lane. */
    quotaWarning(near: {
      licenseId: string
      tenantId: string
      lane: Lane
      used: number
      limit: number
    }): void {
      const { licenseId, tenantId, lane, used, limit } = near
      metrics.quotaWarnings.inc({ lane })
      const line = { license_id: licenseId, tenant_id: tenantId, lane, used, limit }
      logger.warn({ event: 'license.quota_warning', ...line }, 'a licence has used 80 % of its daily quota')
    },

    /** Somebody tries keys. */
    addressBlocked(network: string, seconds: number): void {
      metrics.addressesBlocked.inc()
      logger.warn(
        { event: 'address.blocked', address: network, seconds },
        'too many wrong keys from an address',
      )
    },
  }
}

function tokenEvents(logger: Logger, metrics: Metrics) {
  return {
    /** Something new is held against a token. */
    tokenJudged(push: Push, { state, reason }: { state: 'quarantined' | 'dead'; reason: string }): void {
      const counter = { quarantined: metrics.tokensQuarantined, dead: metrics.tokensInvalidated }[state]
      counter.inc({ provider: push.provider })
      logger.info({ push_id: push.id, device_id: push.deviceId, state, reason }, 'device token judged')
    },

    /** Many tokens of an app fail alike: a person must look at its configuration. Or that is over. */
    tokenBreaker(app: BreakerScope, reason: string, isOpen: boolean): void {
      const { appId, provider, environment } = app
      const labels = { app: appId, provider, environment, reason }
      metrics.tokenBreakerOpen.set(labels, isOpen ? 1 : 0)
      if (isOpen) {
        metrics.tokenBreakerOpened.inc(labels)
        logger.error(
          labels,
          'many tokens fail alike, so it is not the tokens: none is given up for this reason',
        )
      } else logger.warn(labels, 'tokens no longer fail alike: they are judged again')
    },

    /** Devices nobody has seen for long. */
    tokensPruned(count: number): void {
      metrics.tokensPruned.inc(count)
      logger.info({ count }, 'tokens of devices that were not seen for long were given up')
    },

    voicemailPruned(count: number): void {
      metrics.voicemailPruned.inc(count)
      logger.info({ count }, 'voicemail messages that their boxes keep no longer were deleted')
    },

    /** Each was left by a crash, or by a storage that could not be reached. */
    storedFilesSwept(count: number): void {
      metrics.storedFilesSwept.inc(count)
      logger.info({ count }, 'recordings without a message were erased')
    },
  }
}
