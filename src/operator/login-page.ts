import { createHash } from 'node:crypto'
import type { Operator } from './operator-store.ts'

const STYLE = `
  :root { color-scheme: light dark; --accent: #1457b8; --line: #8886; --wrong: #b3261e; }
  @media (prefers-color-scheme: dark) { :root { --accent: #8ab4f8; --wrong: #f2b8b5; } }
  * { box-sizing: border-box; }
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center; }
  main { width: min(22rem, 100vw - 2rem); padding: 2rem; border: 1px solid var(--line); border-radius: 0.75rem; }
  h1 { font-size: 1.4rem; margin: 0; }
  h1 + p { margin: 0 0 1.5rem; opacity: 0.75; }
  label { display: block; margin-top: 1rem; font-weight: 600; }
  input, button { font: inherit; width: 100%; padding: 0.55rem 0.7rem; border-radius: 0.4rem; border: 1px solid var(--line); }
  button { margin-top: 1.5rem; font-weight: 600; cursor: pointer; color: Canvas; background: var(--accent); border-color: transparent; }
  :is(input, button, a):focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  a { color: var(--accent); }
  [role='alert'] { margin: 0; color: var(--wrong); font-weight: 600; }
`

/** For the Content-Security-Policy: this style and no other. */
export const LOGIN_STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** The login form; after a failed try with the sentence that says why. */
export const loginPage = ({ sentence, name = '' }: { sentence?: string; name?: string } = {}): string =>
  page(`
<p>Operators, please sign in.</p>
${sentence === undefined ? '' : `<p role="alert">${escapeHtml(sentence)}</p>`}
<form method="post" action="/operator/login">
<label for="name">Name</label>
<input id="name" name="name" value="${escapeHtml(name)}" autocomplete="username" autocapitalize="none" required maxlength="100"${name === '' ? ' autofocus' : ''}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024"${name === '' ? '' : ' autofocus'}>
<button>Sign in</button>
</form>`)

/** What the same address shows to somebody who is logged in: where to go, and the way out. */
export const signedInPage = ({ name, role }: Operator): string =>
  page(`
<p>Signed in as ${escapeHtml(name)} (${role}).</p>
<p><a href="/operator/queues">Queues</a> &middot; <a href="/docs">API documentation</a></p>
<form method="post" action="/operator/logout"><button>Sign out</button></form>`)

const page = (content: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Wakeline</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Wakeline</h1>${content}
</main>
</body>
</html>
`

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? '')
