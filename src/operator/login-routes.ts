import express, { type Request, type RequestHandler, type Response } from 'express'
import { z } from 'zod'
import { authRequest } from '../http/auth-request.ts'
import { pageHeaders } from '../http/page-headers.ts'
import type { AuthScheme } from '../http/route.ts'
import { validate } from '../http/validate.ts'
import type { Passwords } from '../lib/passwords.ts'
import { Problem } from '../lib/problem.ts'
import { MINUTE, SECOND } from '../lib/units.ts'
import type { Logger } from '../observability/logger.ts'
import { createLoginLimits, type LoginLimitDeps, type LoginLimits } from './login-limits.ts'
import { LOGIN_STYLE_HASH, loginPage, signedInPage } from './login-page.ts'
import {
  closeSession,
  type OperatorAuthDeps,
  openSession,
  SESSION_COOKIE,
  SESSION_MS,
} from './operator-auth.ts'
import type { Operator, OperatorStore } from './operator-store.ts'
import { refuseCrossOrigin } from './same-origin.ts'

export interface LoginDeps extends OperatorAuthDeps, LoginLimitDeps {
  operators: OperatorStore
  passwords: Passwords
  operatorAuth: AuthScheme<Operator>
  logger: Logger
}

const LoginBody = z.strictObject({
  name: z.string('name is required').min(1, 'name is required').max(100),
  password: z.string('password is required').min(1, 'password is required').max(1_024),
})
const HOME = '/operator/queues'

/** Pages, not API routes: `/operator/login` and `/operator/logout`. */
export function loginRoutes(deps: LoginDeps): { path: string; handler: RequestHandler } {
  const limits = createLoginLimits(deps)
  const router = express.Router()
  router.use(headersOfLogin(), refuseCrossOrigin)
  router.get('/', (_request, response) => response.redirect(303, HOME))
  router.get('/login', async (request, response) => {
    const operator = await currentOperator(deps, request, response)
    response.type('html').send(operator ? signedInPage(operator) : loginPage())
  })
  const body = { limit: '4kb' }
  router.post('/login', express.urlencoded({ ...body, extended: false }), express.json(body))
  router.post('/login', async (request, response) => {
    try {
      await logIn(deps, limits, request, response)
    } catch (thrown) {
      // A form gets its page back; for a program the usual envelope does.
      if (!(thrown instanceof Problem) || !request.is('urlencoded')) throw thrown
      sendRefusal(response, thrown, request.body)
    }
  })
  router.post('/logout', async (request, response) => {
    await closeSession(deps, request.headers)
    response.clearCookie(SESSION_COOKIE, cookieOptions(request))
    response.redirect(303, '/operator/login')
  })
  return { path: '/operator', handler: router }
}

async function logIn(
  deps: LoginDeps,
  limits: LoginLimits,
  request: Request,
  response: Response,
): Promise<void> {
  if (!request.is(['urlencoded', 'json'])) {
    throw new Problem('unsupported_media_type', {
      sentence: 'content type must be a form or application/json',
    })
  }
  const { name, password } = validate(LoginBody, request.body)
  const address = request.ip ?? ''
  await limits.take(name, address)
  const found = await deps.operators.findByName(name).catch((cause: unknown) => {
    throw new Problem('store_unavailable', { retryAfter: 1, cause })
  })
  const isRight = await deps.passwords.matches(password, found?.passwordHash)
  if (!found || !isRight) {
    // The name that was typed stays out of the log: it may be a password in the wrong field.
    deps.logger.warn({ address, ...(found && { operator: found.name }) }, 'operator login failed')
    throw new Problem('invalid_credentials', { sentence: 'name or password is wrong' })
  }
  await limits.forgive(name, address)
  const token = await openSession(deps, found.id)
  deps.logger.info({ address, operator: found.name }, 'operator logged in')
  response.cookie(SESSION_COOKIE, token, { ...cookieOptions(request), maxAge: SESSION_MS })
  response.redirect(303, HOME)
}

const cookieOptions = ({ secure }: Request) => ({
  httpOnly: true,
  sameSite: 'strict' as const,
  secure,
  path: '/',
})

function sendRefusal(response: Response, problem: Problem, body: unknown): void {
  const { retryAfter } = problem.details
  const again =
    retryAfter === undefined ? '' : ` Try again in ${Math.ceil((retryAfter * SECOND) / MINUTE)} min.`
  const sentence = `${problem.message.charAt(0).toUpperCase()}${problem.message.slice(1)}.${again}`
  const { name } = (body ?? {}) as { name?: unknown }
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter))
  response.status(problem.status).type('html')
  response.send(loginPage({ sentence, ...(typeof name === 'string' && { name: name.slice(0, 100) }) }))
}

/** Who is logged in, or nobody. */
async function currentOperator(
  deps: LoginDeps,
  request: Request,
  response: Response,
): Promise<Operator | undefined> {
  try {
    return await deps.operatorAuth.verify(authRequest(request, response))
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.status === 401) return undefined
    throw thrown
  }
}

const headersOfLogin = (): RequestHandler =>
  pageHeaders({ styleSrc: [LOGIN_STYLE_HASH], imgSrc: ['data:'], formAction: ["'self'"] })
