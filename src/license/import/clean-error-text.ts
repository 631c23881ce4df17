/** What is kept of an error text of another gateway. */
const MAX_LENGTH = 500
/** More than this is not even looked at. */
const MAX_READ = 20_000
const REMOVED = '[removed]'

/** Shorter runs are words, numbers and codes. */
const LONG_RUN = /[\p{L}\p{N}_+/=:.%~-]{16,}/gu
/** A word of people or programs, such as `connection`, `BadDeviceToken` or `APNS`; tokens and keys are none. */
const WORD = /^(?:[A-Z]?[a-z]{1,14}(?:[A-Z][a-z]{1,14})*|[A-Z]{1,8}|[0-9]{1,5}|)$/

/**
 * An error text without anything that looks like a token or a key: FlowPBX kept the vendors' URLs, and those have tokens in them.
 * Rather a word too many goes than a key stays.
 *
 * @param secret the licence key that the text came with
 */
export function cleanErrorText(text: string, secret: string): string {
  const seen = text.length > MAX_READ ? text.slice(0, MAX_READ).replace(/\S*$/, '') : text
  const clean = seen
    .toWellFormed()
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ')
    .replaceAll(secret === '' ? REMOVED : secret, REMOVED)
    .replaceAll(/\b(https?):\/\/[^\s"'<>]+/gi, withoutPath)
    .replaceAll(/\b(bearer|basic)\s+\S+/gi, `$1 ${REMOVED}`)
    .replaceAll(/\b(authorization|bearer|token|key|secret|password)(\s*[:=]\s*)\S+/gi, `$1$2${REMOVED}`)
    .replaceAll(LONG_RUN, (run) => (isReadable(run) ? run : REMOVED))
  return Array.from(clean).slice(0, MAX_LENGTH).join('').trim()
}

const isReadable = (run: string): boolean => run.split(/[_+/=:.%~-]/).every((piece) => WORD.test(piece))

/** The server is worth knowing; what stands after it, and before an @, is not. */
function withoutPath(url: string): string {
  if (!URL.canParse(url)) return REMOVED
  const { protocol, host, pathname, search } = new URL(url)
  return `${protocol}//${host}${pathname === '/' && search === '' ? '' : `/${REMOVED}`}`
}
