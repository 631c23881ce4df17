import { Problem } from '../lib/problem.ts'
import type { AuthScheme } from './route.ts'

/** From least to most: a viewer looks, an operator mends what is there, an admin also makes and ends things. */
export const ROLES = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** What a route may know of the person who calls it. */
export interface OperatorCaller {
  name: string
  role: Role
}

/** The same authentication, for those of at least this role. */
export const requireRole = <Caller extends OperatorCaller>(
  auth: AuthScheme<Caller>,
  least: Role,
): AuthScheme<Caller> => ({
  ...auth,
  async verify(request) {
    const caller = await auth.verify(request)
    if (ROLES.indexOf(caller.role) < ROLES.indexOf(least)) {
      throw new Problem('forbidden', {
        sentence: `this takes the role ${least}, and yours is ${caller.role}`,
      })
    }
    return caller
  },
})
