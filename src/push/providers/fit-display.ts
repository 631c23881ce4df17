import type { Display } from './payload-content.ts'

const CUT_ORDER = ['text', 'title', 'name'] as const

/** How a vendor counts. */
export interface Measure<Built> {
  /** Bytes. */
  limit: number
  sizeOf(built: Built): number
  /** Of a text inside the payload, with whatever escapes it takes. */
  sizeOfText(text: string): number
}

/**
 * Builds a payload that is no larger than its vendor allows, by cutting what is only display.
 * @returns `undefined` when even without any display it is too large.
 */
export function fitDisplay<Built>(
  display: Display,
  build: (display: Display) => Built,
  { limit, sizeOf, sizeOfText }: Measure<Built>,
): Built | undefined {
  let built = build(display)
  let shown = display
  for (const field of CUT_ORDER) {
    const excess = sizeOf(built) - limit
    if (excess <= 0) return built
    const text = shown[field]
    if (text === undefined) continue
    const cut = cutToFit(text, sizeOfText(text) - excess, sizeOfText)
    shown = { ...shown, [field]: cut === '' ? undefined : cut }
    built = build(shown)
  }
  return sizeOf(built) <= limit ? built : undefined
}

/** The longest beginning that takes at most `room` bytes; never half a character as people see them. */
function cutToFit(text: string, room: number, sizeOf: (text: string) => number): string {
  let used = 0
  for (const { segment, index } of new Intl.Segmenter().segment(text)) {
    used += sizeOf(segment)
    if (used > room) return text.slice(0, index)
  }
  return text
}
