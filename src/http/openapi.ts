import { createRequire } from 'node:module'
import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi'
import { z } from 'zod'
import { PROBLEMS, type ProblemCode } from '../lib/problem.ts'
import type { UploadSpec } from './multipart.ts'
import type { AuthScheme, ReplySpec, Route } from './route.ts'

type AuthName = AuthScheme<unknown>['name']
type Replies = RouteConfig['responses']

const product: { version: string; description: string } = createRequire(import.meta.url)('../../package.json')

/** How each kind of caller shows who he is, in OpenAPI's words. */
const SECURITY_SCHEMES = {
  'license-key': {
    type: 'apiKey',
    in: 'header',
    name: 'X-License-Key',
    description: 'The licence key of a PBX. Where a body takes a `license_key`, it may stand there instead.',
  },
  'pbx-key': { type: 'http', scheme: 'bearer', description: 'The PBX key.' },
  app: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The token of a login with `POST /api/v1/app/auth`.',
  },
  operator: {
    type: 'apiKey',
    in: 'cookie',
    name: 'wakeline_session',
    description: 'The session of an operator, from `/operator/login`.',
  },
} as const satisfies Record<Exclude<AuthName, 'none'>, object>

const ProblemAnswer = z
  .object({
    data: z.null(),
    error: z.string().describe('One sentence for people.'),
    code: z.string().describe('Stable, for programs.'),
    request_id: z.string().describe('Also in `X-Request-Id` and in the log.'),
    field: z.string().optional().describe('Which part of the request is meant.'),
    hint: z.string().optional().describe('What to do about it.'),
  })
  .meta({ id: 'Problem' })

/** The OpenAPI 3.1 document of the routes. The same routes give the same document, to the letter. */
export function openApiDocument(routes: readonly Route[]): object {
  const registry = new OpenAPIRegistry()
  for (const name of new Set(routes.map(({ auth }) => auth.name))) {
    if (name !== 'none') registry.registerComponent('securitySchemes', name, SECURITY_SCHEMES[name])
  }
  for (const route of routes) registry.registerPath(describe(route))
  const document = new OpenApiGeneratorV31(registry.definitions, { sortComponents: 'alphabetically' })
  return document.generateDocument({
    openapi: '3.1.0',
    info: { title: 'Wakeline', version: product.version, description: product.description },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
  })
}

function describe(route: Route): RouteConfig {
  const { method, path, tag, summary, description, params, query, body, upload } = route
  return {
    method,
    path,
    operationId: operationId(route),
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: securityOf(route),
    request: {
      ...(params && { params }),
      ...(query && { query }),
      ...(route.headers && { headers: headersOf(route.headers) }),
      ...(body && { body: { required: true, content: { 'application/json': { schema: body } } } }),
      ...(upload && { body: uploadOf(upload) }),
    },
    responses: responsesOf(route),
  }
}

/** A part of binary content: https://spec.openapis.org/oas/v3.1.0#considerations-for-file-uploads */
function uploadOf({ fields, file }: UploadSpec) {
  const schema = fields.extend({ [file]: z.unknown().meta({ contentMediaType: 'application/octet-stream' }) })
  return { required: true, content: { 'multipart/form-data': { schema } } }
}

/** `POST /v1/push/{id}` becomes `postV1PushId`: what generators of clients name their functions by. */
const operationId = ({ method, path }: Route): string =>
  [method, ...(path.match(/[A-Za-z0-9]+/g) ?? []).map((word) => word[0]?.toUpperCase() + word.slice(1))].join(
    '',
  )

function securityOf({ auth, body }: Route): NonNullable<RouteConfig['security']> {
  if (auth.name === 'none') return []
  // An alternative without a scheme: the credentials may stand in the body.
  return auth.stage === 'after-body' && body ? [{ [auth.name]: [] }, {}] : [{ [auth.name]: [] }]
}

const headersOf = (headers: Record<string, string>) =>
  z.object(
    Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [name, z.string().optional().describe(text)]),
    ),
  )

function responsesOf(route: Route): Replies {
  const replies = Map.groupBy(route.replies, ({ status }) => status)
  const problems = Map.groupBy(problemsOf(route), (code): number => PROBLEMS[code].status)
  const statuses = [...new Set([...replies.keys(), ...problems.keys()])].sort((a, b) => a - b)
  return Object.fromEntries(
    statuses.map((status) => [status, response(replies.get(status) ?? [], problems.get(status) ?? [])]),
  )
}

/** What a route says itself, and what any route of its kind can answer. */
const problemsOf = ({ problems, body, upload, params, query }: Route): ProblemCode[] => [
  ...new Set<ProblemCode>([
    ...(body || upload || params || query ? (['invalid_request'] as const) : []),
    ...problems,
    ...(body || upload ? (['body_too_large'] as const) : []),
    ...(upload ? (['unsupported_media_type'] as const) : []),
    'internal',
  ]),
]

function response(replies: readonly ReplySpec[], problems: readonly ProblemCode[]): Replies[string] {
  const schemas = new Map<string, z.ZodType[]>()
  const offer = (type: string, schema: z.ZodType) => schemas.set(type, [...(schemas.get(type) ?? []), schema])
  for (const reply of replies) offer(reply.contentType ?? 'application/json', schemaOf(reply))
  if (problems.length > 0) offer('application/json', ProblemAnswer)
  const told = problems.map(describeProblem)
  return {
    description: [...replies.map(({ description }) => description), ...told].join('\n'),
    content: Object.fromEntries(
      [...schemas].map(([type, [first = z.unknown(), ...more]]) => [
        type,
        { schema: more.length > 0 ? z.union([first, ...more]) : first },
      ]),
    ),
  }
}

/** With the exact codes, where `code` is always one of these. */
function describeProblem(name: ProblemCode): string {
  const { sentence, codes }: { sentence: string; codes?: readonly string[] } = PROBLEMS[name]
  const exact = codes === undefined ? '' : ` (${codes.map((code) => `\`${code}\``).join(', ')})`
  return `- \`${name}\`${exact}: ${sentence}`
}

function schemaOf({ schema, bare, contentType }: ReplySpec): z.ZodType {
  if (contentType !== undefined && schema === undefined) return z.string()
  const data = schema ?? z.null()
  return bare || contentType !== undefined ? data : z.object({ data })
}
