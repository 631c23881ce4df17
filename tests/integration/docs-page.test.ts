import { type Context, createContext } from '../../src/context.ts'
import { runApi } from '../../src/run-api.ts'
import { cloneDatabase } from '../support/databases.ts'
import { testConfig } from '../support/gateway.ts'

let url = ''
let stop: () => Promise<void>

beforeAll(async () => {
  const database = await cloneDatabase()
  const { config, secrets } = testConfig({ backend: 'postgres' }, database.url)
  const context: Context = await createContext(config, secrets)
  const api = await runApi(context)
  url = api.url
  stop = async () => {
    await api.close(1_000)
    await context[Symbol.asyncDispose]()
    await database.drop()
  }
})
afterAll(() => stop())

test('the page loads only what this server has, and no script of its own text', async () => {
  const page = await fetch(`${url}/docs`)
  expect(page.status).toBe(200)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const html = await page.text()

  const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset ?? '')
  expect(assets.length).toBeGreaterThanOrEqual(4)
  for (const asset of assets) {
    expect(asset).toMatch(/^\/[^/]/)
    const response = await fetch(url + asset)
    expect([asset, response.status]).toEqual([asset, 200])
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100)
  }
  expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/)
})

test('its policy lets nothing else in', async () => {
  const { headers } = await fetch(`${url}/docs/`)
  const policy = headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self';")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toMatch(/https?:|\*/)
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('x-powered-by')).toBeNull()
})

test('it shows our document and asks nobody else about it', async () => {
  const response = await fetch(`${url}/docs/initializer.js`)
  expect(response.headers.get('content-type')).toMatch(/javascript/)
  const script = await response.text()
  expect(script).toContain("url: '/openapi.json'")
  expect(script).toContain('validatorUrl: null')
  expect(script).not.toMatch(/https?:/)
})

test('/openapi.json is the document', async () => {
  const response = await fetch(`${url}/openapi.json`)
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ openapi: '3.1.0', info: { title: 'Wakeline' } })
})

test.each([
  'index.html',
  'swagger-initializer.js',
  'package.json',
  '..%2f..%2fpackage.json',
  'swagger-ui.js.map',
])('the rest of the package stays inside: %s', async (file) => {
  const response = await fetch(`${url}/docs/${file}`)
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({ data: null, code: 'not_found' })
})
