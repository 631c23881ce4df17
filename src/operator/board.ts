import type { IncomingHttpHeaders } from 'node:http'
import { createBullBoard } from '@bull-board/api'
import { ExpressAdapter } from '@bull-board/express'
import type { Express, RequestHandler } from 'express'
import express from 'express'
import { authRequest } from '../http/auth-request.ts'
import { pageHeaders } from '../http/page-headers.ts'
import type { AuthScheme } from '../http/route.ts'
import { Problem } from '../lib/problem.ts'
import type { Logger } from '../observability/logger.ts'
import type { JobQueues } from '../queue/job-queues.ts'
import { BoardQueue } from './board-queue.ts'
import type { Operator } from './operator-store.ts'
import { refuseCrossOrigin } from './same-origin.ts'

const PATH = '/operator/queues'

/**
 * What may be done to jobs, as Bull Board names its routes. Its other buttons (edit, add, pause, obliterate) are refused: a
 * changed job would not open, and a paused queue of calls is an outage.
 */
const ALLOWED_WRITES = new Set([
  '/api/queues/:queueName/retry/:queueStatus',
  '/api/queues/:queueName/promote',
  '/api/queues/:queueName/clean/:queueStatus',
  '/api/queues/:queueName/:jobId/retry',
  '/api/queues/:queueName/:jobId/promote',
  '/api/queues/:queueName/:jobId/clean',
])

export interface BoardDeps {
  operatorAuth: AuthScheme<Operator>
  queues: Pick<JobQueues, 'raw'>
  logger: Logger
}

/** Bull Board for operators. Every path under it, down to the last picture, wants a login. */
export function queueBoard({ operatorAuth, queues, logger }: BoardDeps): {
  path: string
  handler: RequestHandler
} {
  const readOnly = createBoard(queues.raw, true)
  const writable = createBoard(queues.raw, false)
  const router = express.Router()
  router.use(headersOfBoard(), refuseCrossOrigin)
  router.use(async (request, response, next) => {
    const operator = await operatorAuth.verify(authRequest(request, response)).catch((thrown: unknown) => {
      if (!isPage(request) || !(thrown instanceof Problem) || thrown.status !== 401) throw thrown
      return undefined
    })
    if (!operator) return response.redirect(303, '/operator/login')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const { method, path } = request
      response.once('finish', () => {
        const line = { operator: operator.name, method, path, status: response.statusCode }
        logger.info(line, 'operator changed jobs')
      })
    }
    const board = operator.role === 'viewer' ? readOnly : writable
    board(request, response, next)
  })
  return { path: PATH, handler: router }
}

/** What a person opens in a browser, as against what the page then loads. */
const isPage = ({ method, path, headers }: { method: string; path: string; headers: IncomingHttpHeaders }) =>
  method === 'GET' && !/^\/(api|static)\//.test(path) && (headers.accept ?? '').includes('text/html')

function createBoard(raw: JobQueues['raw'], readOnlyMode: boolean): Express {
  const serverAdapter = new ExpressAdapter()
  serverAdapter.setBasePath(PATH)
  createBullBoard({
    // The adapter may bring a patch version of the API of its own, whose classes TypeScript then takes for others.
    serverAdapter: serverAdapter as never,
    queues: [...raw.values()].map((queue) => new BoardQueue(queue, readOnlyMode)),
    options: {
      uiConfig: {
        boardTitle: 'Wakeline',
        hideRedisDetails: true,
        hideDocsLink: true,
        miscLinks: [
          { text: 'API documentation', url: '/docs' },
          { text: 'Sign out', url: '/operator/login' },
        ],
      },
      handlerHooks: {
        // The library refuses some writes to read-only queues by doing nothing and answering 200.
        before({ method, route }) {
          if (method === 'get') return { allow: true }
          if (readOnlyMode) return { allow: false, status: 405, message: 'your role may only look' }
          return ALLOWED_WRITES.has(route)
            ? { allow: true }
            : { allow: false, status: 403, message: 'this is not allowed here' }
        },
      },
    },
  })
  const board: Express = serverAdapter.getRouter()
  return board.disable('x-powered-by')
}

const headersOfBoard = (): RequestHandler =>
  pageHeaders({
    scriptSrc: ["'self'"],
    // The page has a style element of its own. Its link to a font service is refused; the system's fonts do.
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'self'"],
  })
