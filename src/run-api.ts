import { createApi } from './api.ts'
import type { Context } from './context.ts'
import { listen } from './http/server.ts'
import { startMetricsServer } from './operator/metrics-server.ts'
import { openRealtime } from './realtime.ts'
import { watchClock } from './watch-clock.ts'

export interface RunningApi {
  url: string
  metricsUrl: string
  /** Lets held calls end, then answers what is left; at most `ms`. */
  close(ms: number): Promise<void>
}

/** The API of a process, from the port to the last held call. */
export async function runApi(context: Context): Promise<RunningApi> {
  const { config, hold, stopping } = context
  const metrics = await startMetricsServer(context)
  const realtime = openRealtime(context)
  const options = { ...config.http, portVariable: 'PORT', upgrade: realtime.upgrade }
  const server = await listen(createApi(context), options).catch(async (error: unknown) => {
    await realtime.close()
    await metrics.close(0)
    throw error
  })
  const clockWatch = watchClock(context)
  return {
    url: server.url,
    metricsUrl: metrics.url,
    async close(ms) {
      const closing = Promise.all([server.close(ms), realtime.close(), clockWatch.close(0)])
      // Most holds end by themselves within 5 s; the others are told `timeout` so that the PBX can go on.
      const patience = setTimeout(() => stopping.abort(), Math.max(0, ms - 1_000))
      if (hold.waiting() === 0) stopping.abort()
      await closing
      clearTimeout(patience)
      stopping.abort()
      // Last: how a stop goes on should be seen, too.
      await metrics.close(0)
    },
  }
}
