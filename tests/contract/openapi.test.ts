import { readFile } from 'node:fs/promises'
import { describedRoutes } from '../../src/api.ts'
import { openApiDocument } from '../../src/http/openapi.ts'

interface Operation {
  operationId: string
  security: Record<string, string[]>[]
  parameters?: { name: string; in: string; required?: boolean }[]
  requestBody?: { content: Record<string, { schema: unknown }> }
  responses: Record<string, { description: string; content: Record<string, { schema: Schema }> }>
}
interface Schema {
  $ref?: string
  properties?: Record<string, Schema>
  required?: string[]
}
interface Document {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, unknown> }
}

const routes = describedRoutes()
const document = openApiDocument(routes) as Document

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
)

test('the checked-in document is the one of this code; `npm run openapi` writes it', async () => {
  const file = await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8')
  expect(JSON.parse(file)).toEqual(JSON.parse(JSON.stringify(document)))
  expect(file).toBe(`${JSON.stringify(document, null, 2)}\n`)
})

test('two documents of the same routes are the same to the letter', () => {
  expect(JSON.stringify(openApiDocument(describedRoutes()))).toBe(JSON.stringify(document))
})

test('every route is in the document, and nothing else is', () => {
  expect(operations.map(({ name }) => name).sort()).toEqual(
    routes.map(({ method, path }) => `${method} ${path}`).sort(),
  )
})

test('it names product and version of package.json', async () => {
  const file = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  expect(document.openapi).toBe('3.1.0')
  expect(document.info).toMatchObject({ title: 'Wakeline', version: JSON.parse(file).version })
})

test('every reference has its target', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target)
  expect(references.length).toBeGreaterThan(10)
  const dangling = references.filter((reference) => {
    const keys = (reference ?? '').replace(/^#\//, '').split('/')
    return keys.reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document) === undefined
  })
  expect(dangling).toEqual([])
})

test('operation ids are unique', () => {
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
})

test.each(operations)('$name: parameters, security and answers are complete', ({ path, operation }) => {
  const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
  expect(inPath.map(({ name }) => name).sort()).toEqual(
    [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort(),
  )
  for (const scheme of operation.security.flatMap((each) => Object.keys(each))) {
    expect(document.components.securitySchemes).toHaveProperty([scheme])
  }
  expect(operation.responses).toHaveProperty('500')
  for (const { description, content } of Object.values(operation.responses)) {
    expect(description).not.toBe('')
    expect(Object.keys(content).length).toBeGreaterThan(0)
  }
})

test('answers stand in the envelope, problems are the Problem schema with code and sentence', () => {
  const push = document.paths['/v1/push']?.post
  expect(push?.responses['200']?.content['application/json']?.schema).toMatchObject({
    properties: { data: { $ref: '#/components/schemas/PushAnswer' } },
    required: ['data'],
  })
  const refused = push?.responses['403']
  // Where it has exact codes, the answer has one of those.
  expect(refused?.description).toContain(
    '- `license_invalid` (`KEY_MISTYPED`, `NOT_FOUND`, `KEY_REPLACED`, `REVOKED`, `SUSPENDED`, `EXPIRED`): invalid or expired license key',
  )
  expect(refused?.content['application/json']?.schema).toEqual({ $ref: '#/components/schemas/Problem' })
  expect(Object.keys(document.components.schemas.Problem?.properties ?? {})).toEqual([
    'data',
    'error',
    'code',
    'request_id',
    'field',
    'hint',
  ])
  const health = document.paths['/healthz']?.get?.responses['200']?.content['application/json']?.schema
  expect(health?.properties).toHaveProperty('status')
})

test('who may call is said: key in the header or the body, bearer, nobody', () => {
  expect(document.paths['/v1/push']?.post?.security).toEqual([{ 'license-key': [] }, {}])
  expect(document.paths['/v1/push/{id}']?.get?.security).toEqual([{ 'license-key': [] }])
  expect(document.paths['/api/v1/pbx/calls']?.post?.security).toEqual([{ 'pbx-key': [] }])
  expect(document.paths['/healthz']?.get?.security).toEqual([])
})
