import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Context } from '../context.ts'
import { ensureOperator } from '../operator/ensure-operator.ts'
import type { DataDirectory } from './data-directory.ts'

export const OPERATOR_NAME = 'admin'

/** How the operator gets in: with a password that is new, that stands in the file, or that only he knows. */
export type OperatorLogin =
  | { password: 'new'; text: string; file: string }
  | { password: 'kept'; file: string }
  | { password: 'unknown' }

const FILE = 'operator-password'

/** An account for the console: made at the first start on a database, its password kept in the data directory. */
export async function ensureFirstOperator(
  { operators, passwords }: Pick<Context, 'operators' | 'passwords'>,
  directory: DataDirectory,
): Promise<OperatorLogin> {
  const file = directory.file(FILE)
  const found = await operators.findByName(OPERATOR_NAME)
  if (found && !existsSync(file)) return { password: 'unknown' }

  const text = (await directory.secret(FILE, () => `${randomBytes(15).toString('base64url')}\n`)).trim()
  const account = { name: OPERATOR_NAME, password: text, role: 'admin' } as const
  if (!found && (await ensureOperator({ operators, passwords }, account))) {
    return { password: 'new', text, file }
  }
  // Changed since, or made from another data directory: the file would only lead astray.
  const isTheirs = found !== undefined && (await passwords.matches(text, found.passwordHash))
  return isTheirs ? { password: 'kept', file } : { password: 'unknown' }
}
