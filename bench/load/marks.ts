import { once } from 'node:events'

/** Tells the parent process that a moment has come, and waits until it has taken its readings. */
export async function mark(name: string): Promise<void> {
  const answered = once(process, 'message')
  process.send?.({ mark: name })
  await answered
}
