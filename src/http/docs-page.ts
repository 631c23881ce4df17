import { createRequire } from 'node:module'
import express, { type RequestHandler } from 'express'
import { pageHeaders } from './page-headers.ts'

/** Only these of the package are served: the rest are other builds, maps and a page of their own. */
const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'] as const

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Wakeline API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the same is in <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/initializer.js"></script>
</body>
</html>
`

/** The address is fixed, and not taken from the query: a link must not make this page show somebody else's API. */
const INITIALIZER = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  queryConfigEnabled: false,
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
})
`

/** The API for people, at /docs. Works without internet: everything comes from this server, and nothing else may load. */
export function docsPage(): { path: string; handler: RequestHandler } {
  const require = createRequire(import.meta.url)
  const router = express.Router()
  router.use(
    pageHeaders({
      scriptSrc: ["'self'"],
      // Swagger UI sets style attributes; no script can come in this way.
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
    }),
  )
  router.get('/', (_request, response) => {
    response.type('html').send(PAGE)
  })
  router.get('/initializer.js', (_request, response) => {
    response.type('text/javascript').send(INITIALIZER)
  })
  for (const file of FILES) {
    const path = require.resolve(`swagger-ui-dist/${file}`)
    router.get(`/${file}`, (_request, response) => {
      // 1.7 MB that change only with a release; the browser asks again whether it is still the same.
      response.setHeader('Cache-Control', 'no-cache')
      response.sendFile(path, { dotfiles: 'allow' })
    })
  }
  return { path: '/docs', handler: router }
}
