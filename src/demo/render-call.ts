import type { CallReport } from './judge-call.ts'

/** Makes text stand out, where the terminal can. */
export type Paint = (format: 'bold' | 'dim' | 'green' | 'red', text: string) => string

const MS_WIDTH = 8
/** Columns of a line, with what stands before a verdict. */
const WRAP_WIDTH = 100
const VERDICT_INDENT = 11

/** A call as a person likes to read it. */
export function renderCall(call: CallReport, number: number, paint: Paint): string {
  const verdict = call.ok ? paint('green', 'ok    ') : paint('red', 'FAILED')
  return [
    `${paint('bold', `${number}  ${call.title}`)} ${paint('dim', `(extension ${call.extension})`)}`,
    '',
    ...call.timeline.map(
      ({ at_ms, what }) => `${paint('dim', `${String(at_ms).padStart(MS_WIDTH)} ms`)}   ${what}`,
    ),
    '',
    `   ${verdict}  ${wrap(call.verdict).join(`\n${' '.repeat(VERDICT_INDENT)}`)}`,
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
