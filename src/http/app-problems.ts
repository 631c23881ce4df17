import type { ProblemCode } from '../lib/problem.ts'

/** What every route of the app may answer. The 401s are the only ones there are: the app forgets everything on one. */
export const APP_PROBLEMS = [
  'unauthorized',
  'invalid_authorization_header',
  'invalid_token',
  'invalid_token_claims',
  'store_unavailable',
  'rate_limited',
] as const satisfies readonly ProblemCode[]
