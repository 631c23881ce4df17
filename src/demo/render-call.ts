import type { CallReport } from './judge-call.ts'

/** Makes text stand out, where the terminal can. */
export type Paint = (format: 'bold' | 'dim' | 'green' | 'red', text: string) => string

const MS_WIDTH = 8

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
    `   ${verdict}  ${call.verdict}`,
    '',
  ].join('\n')
}
