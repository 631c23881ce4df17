/**
 * Commands to paste into a shell. The same call_id joins the same call, so each run makes its own; all else is made of letters
 * that need no quoting inside of single quotes.
 */

/** A held call, as a PBX makes it. */
export const callCommand = (api: string, pbxKey: string, extension: string): string =>
  command(
    `${api}/api/v1/pbx/calls`,
    [`Authorization: Bearer ${pbxKey}`, 'Content-Type: application/json', 'Prefer: wait=5'],
    `"extension":"${extension}","caller_id":"0301234567"`,
  )

/** One push to one iPhone. */
export const pushCommand = (api: string, licenseKey: string, token: string): string =>
  command(
    `${api}/v1/push`,
    [`X-License-Key: ${licenseKey}`, 'Content-Type: application/json'],
    `"push_platform":"apns","push_token":"${token}","caller_id":"0301234567"`,
  )

const command = (url: string, headers: readonly string[], fields: string): string =>
  [
    // The answer ends without a line break, and the prompt would follow it.
    `  curl -sS -w '\\n' ${url} \\`,
    ...headers.map((header) => `    -H '${header}' \\`),
    `    -d '{${fields},"call_id":"'"$(date +%s)"'"}'`,
  ].join('\n')
