import type { Frame } from './frame.ts'
import { short } from './json.ts'

interface Waiting {
  readonly matches: (frame: Frame) => boolean
  readonly found: (frame: Frame) => void
}

/** All that came, and whoever waits for something to come. */
export class FrameLog {
  readonly #frames: Frame[] = []
  readonly #waiting = new Set<Waiting>()

  /** A place in time, to wait for only what comes after it. */
  get end(): number {
    return this.#frames.length
  }

  add(frame: Frame): void {
    this.#frames.push(frame)
    for (const waiting of this.#waiting) if (waiting.matches(frame)) waiting.found(frame)
  }

  since(place: number): readonly Frame[] {
    return this.#frames.slice(place)
  }

  /** The first that matches after a place in time, be it there already or not. */
  wait(what: string, place: number, matches: (frame: Frame) => boolean, ms = 10_000): Promise<Frame> {
    const there = this.since(place).find(matches)
    if (there !== undefined) return Promise.resolve(there)
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        matches,
        found: (frame) => {
          clearTimeout(timer)
          this.#waiting.delete(waiting)
          resolve(frame)
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting)
        reject(new Error(`${what} within ${ms} ms, but there came ${short(this.since(place))}`))
      }, ms)
      this.#waiting.add(waiting)
    })
  }
}
