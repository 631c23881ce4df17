import type { CallReport } from './judge-call.ts'
import type { Step } from './timeline.ts'

/** Makes text stand out, where the terminal can. */
export type Paint = (format: 'bold' | 'dim' | 'green' | 'red', text: string) => string

const MS_WIDTH = 8
/** Columns of a line, with what stands before a verdict. */
const WRAP_WIDTH = 100
const VERDICT_INDENT = 11

/** Something that happened, and whether it went as it should. */
export interface Story {
  title: string
  /** Whom it happened to. */
  about: string
  timeline: readonly Step[]
  verdict: string
  ok: boolean
}

export const renderCall = (call: CallReport, number: number, paint: Paint): string =>
  renderStory({ ...call, about: `extension ${call.extension}` }, number, paint)

/** A story as a person likes to read it. */
export function renderStory(story: Story, number: number, paint: Paint): string {
  const verdict = story.ok ? paint('green', 'ok    ') : paint('red', 'FAILED')
  return [
    `${paint('bold', `${number}  ${story.title}`)} ${paint('dim', `(${story.about})`)}`,
    '',
    ...story.timeline.map(
      ({ at_ms, what }) => `${paint('dim', `${String(at_ms).padStart(MS_WIDTH)} ms`)}   ${what}`,
    ),
    '',
    `   ${verdict}  ${wrap(story.verdict).join(`\n${' '.repeat(VERDICT_INDENT)}`)}`,
    '',
  ].join('\n')
}

function wrap(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && longer.length + VERDICT_INDENT > WRAP_WIDTH) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line]
}
