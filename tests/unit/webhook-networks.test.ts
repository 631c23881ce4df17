import fc from 'fast-check'
import { loadConfig } from '../../src/config/config.ts'
import { ConfigError } from '../../src/config/faults.ts'
import { networkSet, parseNetwork } from '../../src/lib/networks.ts'
import { createJudgeAddress } from '../../src/webhooks/reachable-addresses.ts'
import { parseWebhookUrl } from '../../src/webhooks/webhook-url.ts'

const load = (value: string, more: Record<string, string> = {}) =>
  loadConfig({ WEBHOOK_PRIVATE_NETWORKS: value, ...more }, 'embedded').config.webhookNetworks
const faultsOf = (value: string, more: Record<string, string> = {}) => {
  try {
    load(value, more)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

describe('WEBHOOK_PRIVATE_NETWORKS', () => {
  test('is empty by default', () => {
    expect(load('')).toEqual([])
    expect(loadConfig({}, 'embedded').config.webhookNetworks).toEqual([])
  })

  test('takes networks of both families, with spaces or without', () => {
    expect(load('10.0.0.0/8, 192.168.7.0/24,fd00:1::/48,::1/128 , 127.0.0.1/32')).toEqual([
      '10.0.0.0/8',
      '192.168.7.0/24',
      'fd00:1::/48',
      '::1/128',
      '127.0.0.1/32',
    ])
  })

  const no = 'must be a network like 10.0.0.0/8'
  const open = 'is not a private network'
  test.each([
    ['10.0.0.0', no],
    ['10.0.0.0/33', no],
    ['10.0.0/8', no],
    ['fd00::/129', no],
    ['10.0.0.0/-1', no],
    ['10.0.0.0/8/8', no],
    ['fe80::1%eth0/64', no],
    ['pbx.example', no],
    ['0.0.0.0/0', open],
    ['::/0', open],
    ['10.0.0.0/7', open],
    ['172.0.0.0/8', open],
    ['8.8.8.0/24', open],
    ['169.254.0.0/16', open],
    ['169.254.169.254/32', open],
    ['fe80::/10', open],
    ['::ffff:10.0.0.0/104', open],
    ['2001:db8::/32', open],
  ])('%s is a fault', (entry, fault) => {
    expect(faultsOf(entry)).toEqual([`WEBHOOK_PRIVATE_NETWORKS: entry 1 ${fault}`])
  })

  test('tells every fault at once, with those of other variables, and shows no value', () => {
    const faults = faultsOf('10.0.0.0/8,hunter2,0.0.0.0/0', { PORT: 'x' })
    expect(faults).toContain(`WEBHOOK_PRIVATE_NETWORKS: entry 2 ${no}`)
    expect(faults).toContain(`WEBHOOK_PRIVATE_NETWORKS: entry 3 ${open}`)
    expect(faults).toHaveLength(3)
    expect(faults.join()).not.toContain('hunter2')
  })
})

describe('a set of networks', () => {
  test('has exactly the addresses between its first and its last', () => {
    const number = fc.integer({ min: 0, max: 2 ** 32 - 1 })
    fc.assert(
      fc.property(number, fc.integer({ min: 0, max: 32 }), number, (base, prefix, address) => {
        const size = 2 ** (32 - prefix)
        const inside = Math.floor(address / size) === Math.floor(base / size)
        expect(networkSet([`${dotted(base)}/${prefix}`]).has(dotted(address))).toBe(inside)
      }),
      {
        numRuns: 500,
        examples: [
          [0x0a000000, 8, 0x0affffff],
          [0x0a000000, 8, 0x0b000000],
          [5, 0, 2 ** 32 - 1],
        ],
      },
    )
  })

  test('covers a network when it has all of it', () => {
    const covers = (text: string) => {
      const network = parseNetwork(text)
      if (!network) throw new Error(`not a network: ${text}`)
      return networkSet(['10.0.0.0/8', 'fc00::/7']).covers(network)
    }
    expect(['10.0.0.0/8', '10.1.0.0/16', 'fd00::/8', 'fc00::/7'].map(covers)).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(['10.0.0.0/7', '11.0.0.0/8', '::/0', 'fe00::/8'].map(covers)).toEqual([false, false, false, false])
  })

  test('has no address that is bound to an interface, and nothing that is no address', () => {
    const all = networkSet(['0.0.0.0/0', '::/0'])
    expect(['fe80::1%eth0', 'localhost', '', '1.2.3', '[::1]'].map(all.has)).toEqual(Array(5).fill(false))
  })

  const dotted = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
})

describe('a URL', () => {
  const judge = createJudgeAddress(['10.0.0.0/8', 'fd00::/8'])
  const onInternet = { judge: createJudgeAddress([]), hasPrivateNetworks: false }
  const withPrivate = { judge, hasPrivateNetworks: true }

  test.each([
    ['https://example.com', 'https://example.com/'],
    ['https://example.com:443/a?b=c', 'https://example.com/a?b=c'],
    ['https://EXAMPLE.com:8443/hook', 'https://example.com:8443/hook'],
    ['HTTPS://example.com/a@b', 'https://example.com/a@b'],
    ['https://example.com/?at=a@b', 'https://example.com/?at=a@b'],
    ['https://8.8.8.8/', 'https://8.8.8.8/'],
    ['https://0x08080808/', 'https://8.8.8.8/'],
    ['https://[2606:4700::1111]/', 'https://[2606:4700::1111]/'],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
  ])('%s may be told, as %s', (text, href) => {
    for (const options of [onInternet, withPrivate]) {
      expect(parseWebhookUrl(text, options)).toMatchObject({ href })
    }
  })

  test.each([
    'http://10.1.2.3/',
    'http://10.1.2.3:9000/hook',
    'https://10.1.2.3:22/',
    'http://[fd00::1]:81/',
    // What these stand for is seen when they are told something.
    'http://pbx.internal:8080/',
    'https://example.com:9000/',
  ])('%s may be told when private networks are open to webhooks, and only then', (text) => {
    expect(parseWebhookUrl(text, withPrivate)).toBeInstanceOf(URL)
    expect(typeof parseWebhookUrl(text, onInternet)).toBe('string')
  })

  test.each(['http://8.8.8.8/', 'https://8.8.8.8:9000/', 'http://[2606:4700::1111]/'])(
    '%s may not, however many private networks are open',
    (text) => {
      expect(typeof parseWebhookUrl(text, withPrivate)).toBe('string')
    },
  )

  test('has at most 2048 characters, also in its normal form', () => {
    const url = (length: number) => `https://example.com/${'a'.repeat(length - 20)}`
    expect(parseWebhookUrl(url(2_048), onInternet)).toBeInstanceOf(URL)
    expect(parseWebhookUrl(url(2_049), onInternet)).toBe('url must have at most 2048 characters')
    const grows = `https://example.com/${'ü'.repeat(1_000)}`
    expect(parseWebhookUrl(grows, onInternet)).toBe('url must have at most 2048 characters')
  })

  test('of any kind gets a verdict and never an exception; what may be told is in its normal form', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.string(), fc.webUrl()), (text) => {
        const parsed = parseWebhookUrl(text, withPrivate)
        if (typeof parsed === 'string') return
        expect(parseWebhookUrl(parsed.href, withPrivate)).toEqual(parsed)
      }),
    )
  })
})

test('a judge knows the internet, what was opened, and refuses the rest', () => {
  const judge = createJudgeAddress(['10.0.0.0/8', '::1/128'])
  expect(
    ['1.1.1.1', '9.255.255.255', '11.0.0.0', '223.255.255.255', '2606:4700::1', '3ffe::1'].map(judge),
  ).toEqual(Array(6).fill('public'))
  expect(['10.0.0.0', '10.255.255.255', '::1', '::ffff:10.0.0.1'].map(judge)).toEqual(
    Array(4).fill('private'),
  )
  expect(
    ['127.0.0.1', '192.168.0.1', '::2', '::ffff:8.8.8.8', 'fe80::1%lo', 'fc00::1', 'example.com', ''].map(
      judge,
    ),
  ).toEqual(Array(8).fill('refused'))
})
