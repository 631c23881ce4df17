import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VARIABLES } from '../../src/config/variables.ts'
import { PROBLEMS } from '../../src/lib/problem.ts'

const ROOT = join(import.meta.dirname, '../..')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
const scripts = (
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
).scripts

/** The table as it must stand in the README; copy it from the failure when a variable changes. */
const table = [
  '| variable | default | meaning |',
  '|---|---|---|',
  ...Object.entries(VARIABLES).map(([name, spec]: [string, { meaning: string; default?: string }]) => {
    const value = spec.default === undefined ? '' : `\`${spec.default}\``
    return `| \`${name}\` | ${value} | ${spec.meaning} |`
  }),
].join('\n')

test('the README has every variable, its default and its meaning', () => {
  const between = /<!-- variables[^>]*-->\n([\s\S]*?)\n<!-- \/variables -->/.exec(readme)?.[1]
  expect(between).toBe(table)
})

test('the README begins with its two commands', () => {
  expect(readme.split('```')[1]?.trim()).toBe('npm ci && npm start\nnpm ci && npm test')
})

test('every npm command of the README exists', () => {
  const named = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name ?? '')
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

test('every file that a script or a link names exists', () => {
  const programs = Object.values(scripts).flatMap((line) => line.match(/\S+\.ts\b/g) ?? [])
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path ?? '')
  const folders = [...readme.matchAll(/^\| (?:\[)?([\w/]+\/)/gm)].map(([, path]) => path ?? '')
  const missing = [...programs, ...links, ...folders].filter((path) => !existsSync(join(ROOT, path)))
  expect(missing).toEqual([])
})

test('a problem has a status of the 4xx or 5xx and a sentence without a full stop', () => {
  for (const { status, sentence } of Object.values(PROBLEMS)) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(sentence).toMatch(/[^.]$/)
  }
})
