import type { Role } from '../http/operator-roles.ts'
import { newId } from '../lib/ids.ts'
import type { Passwords } from '../lib/passwords.ts'
import type { OperatorStore } from './operator-store.ts'

/**
 * Makes sure that there is an operator of this name; one that exists keeps his password and role. Returns whether he is new.
 * Harmless at every start, and on several nodes at once.
 */
export async function ensureOperator(
  { operators, passwords }: { operators: OperatorStore; passwords: Passwords },
  { name, password, role }: { name: string; password: string; role: Role },
): Promise<boolean> {
  if (await operators.findByName(name)) return false
  return operators.insert({ id: newId(), name, role, passwordHash: await passwords.hash(password) })
}
