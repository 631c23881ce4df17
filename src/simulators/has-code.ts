/** Whether something thrown is the system error of that code, like ENOENT. By shape, so that it holds across realms too. */
export const hasCode = (thrown: unknown, code: string): boolean =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown && thrown.code === code
