/** Where somebody on this machine finds what listens on every address. */
export function reachableUrl(bound: string): string {
  const url = new URL(bound)
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1'
  if (url.hostname === '[::]') url.hostname = '[::1]'
  return url.origin
}
