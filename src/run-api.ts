import { createApi } from './api.ts'
import type { Context } from './context.ts'
import { listen } from './http/server.ts'

export interface RunningApi {
  url: string
  /** Lets held calls end, then answers what is left; at most `ms`. */
  close(ms: number): Promise<void>
}

/** The API of a process, from the port to the last held call. */
export async function runApi(context: Context): Promise<RunningApi> {
  const { config, hold, stopping } = context
  const server = await listen(createApi(context), { ...config.http, portVariable: 'PORT' })
  return {
    url: server.url,
    async close(ms) {
      const closing = server.close(ms)
      // Most holds end by themselves within 5 s; the others are told `timeout` so that the PBX can go on.
      const patience = setTimeout(() => stopping.abort(), Math.max(0, ms - 1_000))
      if (hold.waiting() === 0) stopping.abort()
      await closing
      clearTimeout(patience)
      stopping.abort()
    },
  }
}
