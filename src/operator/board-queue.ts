import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { Queue } from 'bullmq'

/** What a job may show of its data. Everything else is named and hidden: nobody has to remember to hide a new field. */
const HARMLESS = new Set(['v'])

/**
 * A queue as the board sees it. Job data is cut down to what is harmless; the id of a job is the push id, and the times, tries
 * and reasons are BullMQ's own.
 */
export class BoardQueue extends BullMQAdapter {
  constructor(queue: Queue, readOnlyMode: boolean) {
    super(queue, { readOnlyMode })
    this.setFormatter('data', redact)
    this.setFormatter('returnValue', redact)
    this.setFormatter('progress', (progress: unknown) => (typeof progress === 'number' ? progress : 0))
  }

  /** The template of a scheduler is job data, too, and passes no formatter. */
  override async getJobSchedulers(): ReturnType<BullMQAdapter['getJobSchedulers']> {
    const schedulers = await super.getJobSchedulers()
    return schedulers.map(({ template, ...scheduler }) => ({
      ...scheduler,
      ...(template && { template: { ...template, data: redact(template.data) } }),
    }))
  }

  /** Nothing of ours writes job logs; if something ever does, it was not written for this page. */
  override async getJobLogs(): Promise<string[]> {
    return []
  }
}

function redact(data: unknown): unknown {
  if (typeof data !== 'object' || data === null)
    return data === undefined || data === null ? data : '[hidden]'
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => {
      if (key === 'expiresAt' && typeof value === 'number')
        return ['expires_at', new Date(value).toISOString()]
      return [key, HARMLESS.has(key) ? value : '[hidden]']
    }),
  )
}
