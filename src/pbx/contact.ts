/** Parameters of a SIP contact that carry a push token: RFC 8599 `pn-prid`, and the older names of FlowPBX and Linphone. */
const TOKEN_PARAMETERS = ['pn-prid', 'pn-tok']

/**
 * The push tokens that a Contact header field names (RFC 3261 section 20.10, RFC 8599 section 8). Flexisip writes several into
 * one parameter: `<voip token>:voip&<alert token>:remote`. Malformed input names none.
 */
export function tokensOfContact(contact: string): string[] {
  const parameters = contact.split(SEPARATORS).slice(1)
  return parameters.filter(isTokenParameter).flatMap((parameter) => {
    const [, value = ''] = parameter.split('=', 2)
    return decode(value.trim().replaceAll('"', ''))
      .split('&')
      .map((token) => token.replace(/:(voip|remote)$/, ''))
      .filter((token) => token !== '')
  })
}

/** The contact as it may be kept and shown: the PBX can route by it, and it wakes nobody. */
export function withoutTokens(contact: string): string {
  const [start = '', ...rest] = contact.split(SEPARATORS)
  let kept = start
  for (let i = 0; i < rest.length; i += 2) {
    const [separator = '', parameter = ''] = [rest[i], rest[i + 1]]
    if (!isTokenParameter(parameter)) kept += separator + parameter
    else if (separator !== ';') kept += separator
  }
  return kept
}

/** In a group, so that a split keeps them. */
const SEPARATORS = /([;?>])/

const isTokenParameter = (parameter: string): boolean =>
  TOKEN_PARAMETERS.includes((parameter.split('=', 1)[0] ?? '').trim().toLowerCase())

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a lone % is part of the token
  }
}
