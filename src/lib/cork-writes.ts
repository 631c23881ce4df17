import type { Writable } from 'node:stream'

/**
 * What is written to the stream in one turn of the event loop leaves in one piece: a system call per command was a large part of
 * the time that a push took.
 */
export function corkWrites(stream: Writable): void {
  const write = stream.write
  let corked = false
  const uncork = () => {
    corked = false
    stream.uncork()
  }
  stream.write = function corking(this: Writable, ...chunk: unknown[]) {
    if (!corked) {
      corked = true
      stream.cork()
      setImmediate(uncork)
    }
    return Reflect.apply(write, this, chunk) as boolean
  } as Writable['write']
}
