import { createInterface } from 'node:readline/promises'
import { StartError } from './start-error.ts'

/** Where a person is asked; both are the terminal unless a test says otherwise. */
export interface Terminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean }
  /** Not standard output: that may go into a file. */
  output: NodeJS.WritableStream
}
const ours: Terminal = { input: process.stdin, output: process.stderr }

/** Refuses what cannot be undone when there is nobody to ask and nobody has said `--yes`. */
export function mustBeAskable(isSure: boolean, { input }: Terminal = ours): void {
  if (isSure || input.isTTY) return
  throw new StartError('this cannot be undone and there is no terminal to ask at: repeat it with --yes')
}

/** Goes on only when the word is typed, letter by letter. */
export async function confirm(
  question: string,
  word: string,
  { input, output }: Terminal = ours,
): Promise<void> {
  const lines = createInterface({ input, output })
  // Without it, Ctrl-C and Ctrl-D would leave the question open for ever.
  const { promise: left, resolve } = Promise.withResolvers<string>()
  lines.once('close', () => resolve(''))
  const answer = await Promise.race([lines.question(`${question}\nType ${word} to go on: `), left])
  lines.close()
  if (answer.trim() !== word) throw new StartError('not confirmed: nothing was done')
}
