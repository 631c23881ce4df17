import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { z } from 'zod'
import type { ProblemCode } from '../lib/problem.ts'
import type { ReceiveUpload, UploadSpec } from './multipart.ts'

/** What the handler of a route gets: everything checked, nothing of express. */
export interface HandlerInput<Body, Params, Query, Caller> {
  body: Body
  params: Params
  query: Query
  caller: Caller
  method: string
  headers: IncomingHttpHeaders
  /** Reads the body of a route with an `upload`. */
  receive: ReceiveUpload
  /** Of this request; it is in the answer and in every log line. */
  requestId: string
  /** Aborts when the client goes away before it has its answer. */
  signal: AbortSignal
  /** A header of the answer, whether that becomes a reply or a problem. */
  setHeader(name: string, value: string): void
  /** Another value of a header that may be there already, in one line with it (RFC 9110 section 5.3). */
  addHeader(name: string, value: string): void
  /** Of the client, as far as `TRUST_PROXY_HOPS` lets us know it. */
  address: string
}

/** What an authentication may look at. */
export interface AuthRequest {
  method: string
  headers: IncomingHttpHeaders
  /** Parsed and checked for `after-body`, undefined before. */
  body: unknown
  query: unknown
  address: string
  /** A header of the answer, whether that becomes a reply or a problem. */
  setHeader(name: string, value: string): void
}

/**
 * An answer: `data` goes into the envelope, `text` and `raw` go out as they are, `events` one by one as they come, `bytes` as the
 * client takes them; `null` is an answer without a body.
 */
export interface Reply {
  status?: number
  headers?: Record<string, string>
  data?: unknown
  text?: string
  raw?: unknown
  events?: AsyncIterable<{ event: string; data: unknown }>
  bytes?: Readable | null
}

/**
 * Headers that prove an answer, made from the exact text that is sent, whether that is a reply or a problem. None for a request
 * that did not ask for them; `headers`, `body` and `query` are as they came, nobody has checked them.
 */
export type AnswerSigner = (
  request: AuthRequest & { path: string },
  answer: { status: number; text: string },
) => Record<string, string>

/** Who calls. `after-body`: the credentials may stand in the body, so the body's own faults are reported first. */
export interface AuthScheme<Caller> {
  name: 'none' | 'license-key' | 'pbx-key' | 'app' | 'operator'
  stage: 'before-body' | 'after-body'
  /** Whether it is somebody who is known here, as far as can be told without asking anybody. */
  knows?(request: AuthRequest): boolean
  /** Throws when credentials are missing altogether, which is told before any fault of the body. */
  require?(request: AuthRequest): void
  /** Throws a Problem when the caller is nobody we know. */
  verify(request: AuthRequest): Promise<Caller>
}

export const nobody: AuthScheme<undefined> = {
  name: 'none',
  stage: 'before-body',
  verify: async () => undefined,
}

export interface ReplySpec {
  status: number
  description: string
  schema?: z.ZodType
  contentType?: string
  /** The body is not in the `data` envelope. */
  bare?: true
}

/** A route is one value: validation, types, authentication and the OpenAPI document all derive from it. */
export interface Route {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** With `{name}` for parameters, as OpenAPI writes them. */
  path: string
  tag: string
  summary: string
  description?: string
  auth: AuthScheme<unknown>
  signer?: AnswerSigner
  body?: z.ZodType
  /** In place of `body`: the handler reads the request with `receive`. */
  upload?: UploadSpec
  /** `app`: faults of the body are told in the words of FlowPBX's app API. */
  bodyTexts?: 'app'
  /** For bodies that are large by their nature, like `4mb`. */
  bodyLimit?: string
  params?: z.ZodObject
  query?: z.ZodObject
  /** Request headers that mean something here. */
  headers?: Record<string, string>
  replies: readonly [ReplySpec, ...ReplySpec[]]
  problems: readonly ProblemCode[]
  handler(input: HandlerInput<unknown, unknown, unknown, unknown>): Promise<Reply>
}

type Out<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined

/** Declares a route; the handler's input has the types of the schemas. */
export function route<
  Caller,
  Body extends z.ZodType | undefined = undefined,
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
>(
  spec: Omit<Route, 'auth' | 'body' | 'params' | 'query' | 'handler'> & {
    auth: AuthScheme<Caller>
    body?: Body
    params?: Params
    query?: Query
    handler(input: HandlerInput<Out<Body>, Out<Params>, Out<Query>, Caller>): Promise<Reply>
  },
): Route {
  return spec as unknown as Route
}
