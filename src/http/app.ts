import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import type { z } from 'zod'
import { newId } from '../lib/ids.ts'
import { Problem } from '../lib/problem.ts'
import type { Logger } from '../observability/logger.ts'
import { refuseEmptyBody, tellBodyFault, validateAppBody } from './app-body.ts'
import { authRequest } from './auth-request.ts'
import { sendBytes, sendEvents, sendProblem, sendReply, signAnswers, toProblem } from './envelope.ts'
import { receiveUpload } from './multipart.ts'
import type { Route } from './route.ts'
import { expressPath, guardStrangers, type StrangerGuard } from './strangers.ts'
import { validate } from './validate.ts'

/** Far above any body we know (a token has at most 4096 characters), far below what could hurt. */
const BODY_LIMIT = '64kb'

export interface AppOptions {
  routes: readonly Route[]
  /** Pages and whatever else is not an API route, by path. */
  mounts?: readonly { path: string; handler: RequestHandler }[]
  trustProxyHops: number
  /** Who may send faulty requests to the routes that anybody on the net can reach with a key of his own, and how many. */
  strangers: StrangerGuard
  /** Throws for an address that asks too often below this path; before anything of the request is looked at. */
  paces?: readonly { path: string; check: (address: string) => void }[]
  logger: Logger
}

/** The whole HTTP surface as one visible list. */
export function createApp({
  routes,
  mounts = [],
  paces = [],
  trustProxyHops,
  strangers,
  logger,
}: AppOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('trust proxy', trustProxyHops)
  app.use(prepare)
  for (const { path, check } of paces) {
    app.use(path, (request, _response, next) => {
      check(request.ip ?? '')
      next()
    })
  }
  for (const [path, methods] of Map.groupBy(routes, (route) => route.path)) {
    const served = app.route(expressPath(path))
    for (const route of methods) served[route.method](...handlersOf(route))
    served.all(refuseMethod(methods))
  }
  // After the routes, so that a call is not compared with the paths of pages first.
  for (const { path, handler } of mounts) app.use(path, handler)
  app.use(() => {
    throw new Problem('not_found')
  })
  app.use('/v1', guardStrangers(strangers, routes))
  app.use(answerError(logger))
  return app
}

const handlersOf = (route: Route): RequestHandler[] => [
  ...(route.signer ? [signAnswers(route.signer)] : []),
  ...(route.auth.stage === 'before-body' ? [authenticate(route)] : []),
  ...(route.body ? [parseJson(route)] : []),
  serve(route),
]

/** Before a byte of the body is read: whoever is nobody has nothing parsed, and does not learn what is wrong with it. */
function authenticate({ auth }: Route): RequestHandler {
  return async (request, response, next) => {
    response.locals.caller = await auth.verify(authRequest(request, response))
    next()
  }
}

function parseJson({ bodyLimit, bodyTexts }: Route): RequestHandler {
  const options = { limit: bodyLimit ?? BODY_LIMIT, type: () => true, strict: false }
  if (bodyTexts !== 'app') return express.json(options)
  const parse = express.json({ ...options, verify: refuseEmptyBody })
  return (request, response, next) =>
    parse(request, response, (thrown) => next(thrown && tellBodyFault(thrown)))
}

const prepare: RequestHandler = (request, response, next) => {
  const id = newId()
  response.locals.requestId = id
  response.setHeader('X-Request-Id', id)
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Cache-Control', 'no-store')
  // A gateway URL configured with a trailing slash makes FlowPBX ask for //v1/push.
  if (request.url.startsWith('//')) request.url = request.url.replace(/^\/+/, '/')
  next()
}

/** What is left of auth, and validation in the order of the route, then the handler, then the envelope. */
function serve(route: Route): RequestHandler {
  return async (request, response) => {
    const { auth } = route
    const known = authRequest(request, response)
    auth.require?.({ ...known, body: request.body })
    const body = route.body && validateBody(route, route.body, request)
    const params = route.params && validate(route.params, request.params)
    const query = route.query && validate(route.query, request.query)
    response.locals.isJudged = true
    const signal = gone(response)
    const { requestId, caller: early } = response.locals as { requestId: string; caller: unknown }
    const caller = auth.stage === 'after-body' ? await auth.verify({ ...known, body }) : early
    const receive = receiveUpload(request, route.upload)
    const reply = await route.handler({ ...known, body, params, query, caller, requestId, signal, receive })
    if (response.destroyed) return void reply.bytes?.destroy()
    if (reply.bytes !== undefined) await sendBytes(response, reply)
    else if (reply.events) await sendEvents(response, reply.events)
    else sendReply(response, reply)
  }
}

/** For most, no body at all is an empty object: some clients send none where every field is optional. */
const validateBody = ({ bodyTexts }: Route, schema: z.ZodType, { body }: { body?: unknown }): unknown =>
  bodyTexts === 'app' ? validateAppBody(schema, body) : validate(schema, body ?? {})

/** Aborts when the client hangs up before it has its answer. */
function gone(response: Response): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  return controller.signal
}

function refuseMethod(methods: readonly Route[]): RequestHandler {
  const allow = methods.map(({ method }) => method.toUpperCase()).join(', ')
  return (_request, response) => {
    response.setHeader('Allow', allow)
    throw new Problem('method_not_allowed')
  }
}

function answerError(logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, request: Request, response: Response, _next) => {
    const problem = toProblem(thrown)
    const { requestId } = response.locals as { requestId: string }
    if (problem.status >= 500) {
      const line = {
        request_id: requestId,
        problem_id: problem.id,
        method: request.method,
        path: request.path,
      }
      const level = problem.code === 'internal' ? 'error' : 'warn'
      logger[level]({ ...line, code: problem.code, err: problem.cause ?? problem }, problem.message)
    }
    // Half an answer cannot become an error: the client sees that it was cut off.
    if (response.headersSent) response.destroy()
    if (response.destroyed) return
    const asText = (request.headers.accept ?? '').startsWith('text/plain')
    sendProblem(response, problem, requestId, asText)
  }
}
