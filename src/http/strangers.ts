import type { ErrorRequestHandler, Request } from 'express'
import { authRequest } from './auth-request.ts'
import { toProblem } from './envelope.ts'
import type { AuthScheme, Route } from './route.ts'

/** Counts requests that nobody can be made answer for. */
export interface StrangerGuard {
  /** Throws the 429 of an address that is stopped. */
  check(address: string): Promise<void>
  faulted(address: string): Promise<void>
}

/**
 * Whoever is refused before it is known who he is (a body that is none, a key that is missing, a path that is not there) counts
 * against his address, and is told the 429 in place of his fault once that is too much. Who is known is not counted, and whose
 * credentials were judged has been counted there. A request that succeeds never comes here.
 */
export function guardStrangers(guard: StrangerGuard, routes: readonly Route[]): ErrorRequestHandler {
  const auths = new Map(routes.map(({ method, path, auth }) => [`${method} ${expressPath(path)}`, auth]))
  const authOf = ({ method, route }: Request): AuthScheme<unknown> | undefined =>
    auths.get(`${method.toLowerCase()} ${route?.path}`)

  return async (thrown: unknown, request, response, next) => {
    const problem = toProblem(thrown)
    const { isJudged } = response.locals as { isJudged?: true }
    const asked = { ...authRequest(request, response), body: request.body }
    const isTheirs = problem.status >= 400 && problem.status < 500
    if (isTheirs && !isJudged && !authOf(request)?.knows?.(asked)) {
      await guard.check(asked.address)
      await guard.faulted(asked.address)
    }
    next(problem)
  }
}

/** As express writes the `{name}` of a route. */
export const expressPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1')
