import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The import rules of src/README.md, checked by a machine. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const FEATURES = ['gateway', 'license', 'pbx', 'app', 'chat', 'operator']
const MIDDLE = [
  'push',
  'devices',
  'webhooks',
  'limits',
  'storage',
  'queue',
  'signals',
  'http',
  'observability',
]
/** What each part may import besides itself. Files directly in src/ wire the parts and may import all of them. */
const ALLOWED: Record<string, readonly string[]> = {
  lib: [],
  db: ['lib', 'migrations'],
  config: ['lib', 'push'],
  observability: ['lib', 'config', 'push'],
  ...Object.fromEntries(
    ['push', 'devices', 'webhooks', 'limits', 'storage', 'queue', 'signals', 'http'].map((part) => [
      part,
      ['lib', 'db', ...MIDDLE],
    ]),
  ),
  ...Object.fromEntries(FEATURES.map((part) => [part, ['lib', 'db', 'config', ...MIDDLE]])),
  simulators: ['lib'],
  migrations: [],
}
/** Packages that only some files may touch. */
const PACKAGES: readonly { name: RegExp; allowed: RegExp }[] = [
  {
    name: /^knex$/,
    allowed:
      /-store\.ts$|^src\/db\/|^migrations\/|^src\/(context|delivery|licensing|voicemail|app-api|extensions|chat|unread-count|webhooks)\.ts$/,
  },
  { name: /^bullmq$/, allowed: /^src\/queue\/|^src\/operator\/board/ },
  { name: /^express$/, allowed: /^src\/http\/|^src\/operator\/|^src\/api\.ts$/ },
  { name: /^@parse\/node-apn$/, allowed: /^src\/push\/providers\/apns\// },
  { name: /^request-filtering-agent$/, allowed: /^src\/webhooks\// },
  { name: /^firebase-admin/, allowed: /^src\/push\/providers\/fcm\// },
  { name: /^passport/, allowed: /^src\/app\// },
  { name: /^ws$/, allowed: /^src\/chat\/realtime\// },
  { name: /^@aws-sdk\//, allowed: /^src\/storage\// },
]

interface Source {
  path: string
  text: string
  imports: { specifier: string; typeOnly: boolean }[]
}

function sourcesBelow(folder: string): Source[] {
  const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const path = relative(ROOT, join(entry.parentPath, entry.name))
      const text = readFileSync(join(ROOT, path), 'utf8')
      return { path, text, imports: importsOf(text) }
    })
}

const importsOf = (text: string) =>
  [
    ...text.matchAll(
      /^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm,
    ),
  ].map(([, type, from, bare, dynamic]) => ({
    specifier: from ?? bare ?? dynamic ?? '',
    typeOnly: type !== undefined,
  }))

const resolved = (source: Source, specifier: string): string =>
  relative(ROOT, resolve(ROOT, dirname(source.path), specifier))

/** `src/push/…` -> push; `src/context.ts` -> (wiring); `workers/…` -> workers. */
function partOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  if (top !== 'src') return top
  return second.endsWith('.ts') ? '(wiring)' : second
}

const product = [...sourcesBelow('src'), ...sourcesBelow('workers'), ...sourcesBelow('migrations')]

test('the rules read the sources', () => {
  expect(product.length).toBeGreaterThan(80)
  const push = product.find(({ path }) => path === 'src/push/submit-call.ts')
  expect(push?.imports.map(({ specifier }) => specifier)).toContain('../lib/keyring.ts')
})

test('each part imports only what lies below it', () => {
  const broken = product.flatMap((source) => {
    const part = partOf(source.path)
    const allowed = ALLOWED[part]
    if (!allowed) return []
    return source.imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier }) => resolved(source, specifier))
      .filter((target) => partOf(target) !== part && !allowed.includes(partOf(target)))
      .map((target) => `${source.path} imports ${target}`)
  })
  expect(broken).toEqual([])
})

test('src imports workers only in bin/embedded or what starts it', () => {
  const broken = product
    .filter(({ path }) => path.startsWith('src/') && !/^src\/(bin\/embedded|embedded\/)/.test(path))
    .filter((source) =>
      source.imports.some(({ specifier }) => partOf(resolved(source, specifier)) === 'workers'),
    )
  expect(broken.map(({ path }) => path)).toEqual([])
})

test.each(PACKAGES)('$name is imported only where it belongs', ({ name, allowed }) => {
  const users = product.filter(({ imports }) => imports.some(({ specifier }) => name.test(specifier)))
  expect(users.length).toBeGreaterThan(0)
  expect(users.map(({ path }) => path).filter((path) => !allowed.test(path))).toEqual([])
})

test('push knows no express and no bullmq', () => {
  const push = product.filter(({ path }) => path.startsWith('src/push/'))
  const forbidden = push.filter(({ imports }) =>
    imports.some(({ specifier }) => /^(express|bullmq)/.test(specifier)),
  )
  expect(forbidden.map(({ path }) => path)).toEqual([])
})

test('process.env is read in one file', () => {
  const readers = product.filter(({ text }) =>
    /process\.env\b/.test(text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
  )
  expect(readers.map(({ path }) => path)).toEqual(['src/config/env.ts'])
})

test('programs are short', () => {
  const long = product.filter(
    ({ path, text }) => /^src\/bin\/|^workers\/main/.test(path) && text.split('\n').length > 40,
  )
  expect(long.map(({ path }) => path)).toEqual([])
})

test('no file is a world of its own', () => {
  const long = product.filter(({ text }) => text.split('\n').length > 251)
  expect(long.map(({ path }) => path)).toEqual([])
})

test('clients stand alone', () => {
  const clients = sourcesBelow('clients')
  expect(clients.length).toBeGreaterThan(10)
  // A client that used what it is to test would agree with it even where both are wrong.
  const broken = clients.flatMap((source) => {
    const home = source.path.split('/').slice(0, 2).join('/')
    return source.imports
      .map(({ specifier }) => specifier)
      .filter((specifier) =>
        specifier.startsWith('.')
          ? !resolved(source, specifier).startsWith(`${home}/`)
          : !specifier.startsWith('node:'),
      )
      .map((specifier) => `${source.path} imports ${specifier}`)
  })
  expect(broken).toEqual([])
})

test('nothing imports in a circle', () => {
  const graph = new Map(
    product.map((source) => [
      source.path,
      source.imports
        .filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
        .map(({ specifier }) => resolved(source, specifier)),
    ]),
  )
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (done.has(path) || trail.includes(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  expect(circles).toEqual([])
})
