/** Parameters of a SIP contact that carry a push token: RFC 8599 `pn-prid`, and the older names of FlowPBX and Linphone. */
const TOKEN_PARAMETERS = ['pn-prid', 'pn-tok']

/**
 * The push tokens that a Contact header field names (RFC 3261 section 20.10, RFC 8599 section 8). Flexisip writes several into
 * one parameter: `<voip token>:voip&<alert token>:remote`. Malformed input names none.
 */
export function tokensOfContact(contact: string): string[] {
  const parameters = contact.split(/[;?>]/).slice(1)
  return parameters.flatMap((parameter) => {
    const [name = '', value = ''] = parameter.split('=', 2)
    if (!TOKEN_PARAMETERS.includes(name.trim().toLowerCase())) return []
    return decode(value.trim().replaceAll('"', ''))
      .split('&')
      .map((token) => token.replace(/:(voip|remote)$/, ''))
      .filter((token) => token !== '')
  })
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a lone % is part of the token
  }
}
