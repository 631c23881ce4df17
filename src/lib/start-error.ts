/** The program cannot start. The message is one sentence for the operator, who should not need the stack. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
