import { z } from 'zod'
import { openApiDocument } from './openapi.ts'
import { nobody, type Route, route } from './route.ts'

/** The document of all routes, this one included. It is made when it is first asked for: `routes` may still grow. */
export function openApiRoute(routes: readonly Route[]): Route {
  let document: object | undefined
  return route({
    method: 'get',
    path: '/openapi.json',
    tag: 'Operation',
    summary: 'This document',
    auth: nobody,
    replies: [
      {
        status: 200,
        description: 'OpenAPI 3.1.',
        schema: z.looseObject({ openapi: z.string() }),
        bare: true,
      },
    ],
    problems: [],
    async handler() {
      document ??= openApiDocument(routes)
      return { raw: document }
    },
  })
}
