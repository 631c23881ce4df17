import { isIP } from 'node:net'
import type { JudgeAddress, Reach } from './reachable-addresses.ts'

/** What browsers and proxies take without trouble. */
const MAX_LENGTH = 2_048
/** On the internet only where HTTPS is usual: other ports belong to other services. */
const PUBLIC_PORTS = ['', '443', '8443']

/** A host name or an address, without the brackets of IPv6. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1')

/** Which addresses a URL of ours may lead to. Anything but HTTPS on its own ports is for private networks only. */
export const mayReach = (url: URL, reach: Reach): boolean =>
  reach === 'private' || (reach === 'public' && isForInternet(url))

const isForInternet = (url: URL) => url.protocol === 'https:' && PUBLIC_PORTS.includes(url.port)

/**
 * Judges a URL that somebody wants to be told at. What a name stands for is not asked here, because it may stand for something
 * else by the time of a delivery.
 *
 * @returns the URL, or a sentence about what is wrong with it
 */
export function parseWebhookUrl(
  text: string,
  { judge, hasPrivateNetworks }: { judge: JudgeAddress; hasPrivateNetworks: boolean },
): URL | string {
  // The parser would take all of these out, or turn them into something else, without a word.
  if (/[\s\\]|\p{Cc}/u.test(text)) return 'url must not contain spaces, control characters or backslashes'
  if (!URL.canParse(text)) return 'url must be a URL'
  const url = new URL(text)
  if (text.length > MAX_LENGTH || url.href.length > MAX_LENGTH)
    return `url must have at most ${MAX_LENGTH} characters`
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'url must start with https://'
  if (hasUserInfo(text)) return 'url must not contain a user name or a password'
  if (url.href.includes('#')) return 'url must not contain a fragment'
  if (!hasPrivateNetworks && url.protocol !== 'https:') return 'url must start with https://'
  if (!hasPrivateNetworks && !isForInternet(url)) return 'url must have port 443 or 8443'
  const host = hostOf(url)
  if (isIP(host) !== 0 && !mayReach(url, judge(host)))
    return 'url must be https:// with a public address and port 443 or 8443, or lie in a network that is open to webhooks'
  return url
}

/** Also an empty one, which the parser drops. */
const hasUserInfo = (text: string) => /^[a-z]+:\/*[^/?#]*@/i.test(text)
