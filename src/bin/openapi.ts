import { writeFile } from 'node:fs/promises'
import { describedRoutes } from '../api.ts'
import { openApiDocument } from '../http/openapi.ts'
import { runOnce } from '../lib/run-program.ts'

/** Writes the checked-in document anew; a test fails when that was forgotten. */
await runOnce(async () => {
  const file = new URL('../../docs/openapi.json', import.meta.url)
  await writeFile(file, `${JSON.stringify(openApiDocument(describedRoutes()), null, 2)}\n`)
})
