import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { MINUTE } from '../../src/lib/units.ts'
import { createCertificates } from '../../src/simulators/certificates.ts'
import { createStop } from '../../src/simulators/listen.ts'
import { createJudgeAddress, type JudgeAddress } from '../../src/webhooks/reachable-addresses.ts'
import { createResolveHost } from '../../src/webhooks/resolve-host.ts'
import { createWebhookRequest } from '../../src/webhooks/webhook-request.ts'
import { parseWebhookUrl } from '../../src/webhooks/webhook-url.ts'
import { type DnsServer, startDnsServer } from '../support/dns-server.ts'
import { startWebhookReceiver } from '../support/webhook-receiver.ts'

/** What stands for the inside of our network: whoever connects has got in. */
let canary: { port: number; connections: number; stop(): Promise<void> }
let dns: DnsServer
beforeAll(async () => {
  const server = createServer((socket) => {
    canary.connections += 1
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
  })
  // Every address of this machine, of both families.
  server.listen(0)
  await once(server, 'listening')
  canary = { port: (server.address() as AddressInfo).port, connections: 0, stop: createStop(server) }
  dns = await startDnsServer()
  for (const [name, ...addresses] of NAMES) dns.answers(name, addresses)
})
afterAll(async () => {
  await canary.stop()
  await dns[Symbol.asyncDispose]()
})

const NAMES: [string, ...string[]][] = [
  ['loopback.test', '127.0.0.1'],
  ['any.test', '0.0.0.0'],
  ['metadata.test', '169.254.169.254'],
  ['private.test', '10.0.0.1'],
  ['carrier.test', '100.64.0.1'],
  ['loopback6.test', '::1'],
  ['mapped.test', '::ffff:127.0.0.1'],
  ['compatible.test', '::7f00:1'],
  ['nat64.test', '64:ff9b::7f00:1'],
  ['sixtofour.test', '2002:7f00:1::'],
  ['unique-local.test', 'fd00:ec2::254'],
  ['link-local.test', 'fe80::1'],
  // One address that is fine does not excuse the other.
  ['mixed.test', '3ffe::1', '127.0.0.1'],
  ['mixed6.test', '3ffe::1', '::1'],
  ['xn--bcher-kva.test', '127.0.0.1'],
  ['nowhere.test'],
]

/** 127.0.0.1 and its like, as people write them to get past a filter. */
const HOSTS = [
  ...['127.0.0.1', '127.1', '127.0.1', '127.0.0.1.', '127.000.000.001', '127.255.255.254', '2130706433'],
  ...['0x7f000001', '0x7f.0.0.1', '0x7f.1', '0X7F.0x0.0x0.0x1', '0177.0.0.1', '0177.0.0.01', '017700000001'],
  ...['%31%32%37.0.0.1', '１２７.０.０.１', '127。0。0。1', '①②⑦.⓪.⓪.①', '127.0.0.0x1'],
  ...['0', '0.0.0.0', '0x0', '00', '0.1', '0.0.0.0.', '0.255.255.255'],
  ...[
    '10.0.0.1',
    '10.255.255.255',
    '167772161',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.255',
  ],
  ...['169.254.169.254', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518', '169.254.0.1'],
  ...[
    '100.64.0.1',
    '100.100.100.200',
    '100.127.255.255',
    '192.0.0.1',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
  ],
  ...[
    '192.31.196.1',
    '192.52.193.1',
    '192.175.48.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
  ],
  ...['224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.254', '255.255.255.255', '4294967295'],
  ...['[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::0.0.0.1]', '[0:0:0:0:0:0:0:0]'],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::FFFF:0.0.0.0]'],
  ...['[::ffff:169.254.169.254]', '[::ffff:10.0.0.1]', '[::127.0.0.1]', '[::7f00:1]', '[::ffff:0:127.0.0.1]'],
  ...['[64:ff9b::127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b::a9fe:a9fe]', '[64:ff9b:1::7f00:1]'],
  ...['[2002:7f00:1::]', '[2002:a9fe:a9fe::1]', '[2002:a00:1::1]', '[2001::1]', '[2001:0:7f00:1::]'],
  ...['[2001:2::1]', '[2001:10::1]', '[2001:20::1]', '[2001:30::1]', '[2001:db8::1]', '[3fff::1]'],
  ...[
    '[fc00::1]',
    '[fd00::1]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[febf::1]',
    '[fec0::1]',
    '[ff02::1]',
    '[ff0e::1]',
  ],
  ...['[100::1]', '[100:0:0:1::1]', '[5f00::1]', '[1::1]', '[4000::1]', '[8000::1]', '[2620:4f:8000::1]'],
]
const NAMED = NAMES.map(([name]) => name)
  .filter((name) => !name.startsWith('xn--'))
  .concat(
    'bücher.test',
    'LOOPBACK.test',
    'loopback.test.',
    'unknown.test',
    'localhost',
    'localhost.',
    'a.localhost',
  )

/** Not an address but the URL itself is wrong; `:PORT` is the canary's. */
const URLS = [
  ...[
    '',
    ' ',
    'https',
    'https:',
    'https://',
    'https:///',
    'https://:443/',
    'nonsense',
    '/hook',
    '//127.0.0.1:PORT/',
  ],
  ...[
    'https:127.0.0.1:PORT',
    'https:/127.0.0.1:PORT',
    'https:///127.0.0.1:PORT/',
    'https:\\\\127.0.0.1:PORT\\',
  ],
  ...[
    'https://[::1',
    'https://[::1%25lo]:PORT/',
    'https://[v1.x]/',
    'https://127.0.0.1.1/',
    'https://256.1.1.1/',
  ],
  ...[
    'https://example.com:99999/',
    'https://example.com:-1/',
    'https://ex ample.com/',
    'https://exam%00ple.com/',
  ],
  ...['ftp://127.0.0.1:PORT/', 'file:///etc/passwd', 'gopher://127.0.0.1:PORT/', 'data:,x', 'javascript:1'],
  ...['ws://127.0.0.1:PORT/', 'wss://127.0.0.1:PORT/', 'unix:/run/x.sock', 'about:blank', 'blob:https://x/y'],
  ...['https://user@loopback.test/', 'https://user:pw@loopback.test/', 'https://:pw@loopback.test/'],
  ...['https://@loopback.test/', 'https://:@loopback.test/', 'https://example.com@127.0.0.1:PORT/'],
  ...[
    'https://127.0.0.1:PORT@example.com/',
    'https://example.com:443@127.0.0.1:PORT/',
    'https://a@b@127.0.0.1:PORT/',
  ],
  ...['https://example.com\\@127.0.0.1:PORT/', 'https://127.0.0.1:PORT\\@example.com/'],
  ...['https://loopback.test/#', 'https://loopback.test/#x', 'https://127.0.0.1:PORT#@example.com/'],
  ...[
    ' https://loopback.test/',
    'https://loopback.test/ ',
    'ht\ntps://loopback.test/',
    'https://loop\tback.test/',
  ],
  ...[
    'https://loopback.test/\r\nHost: x',
    'https://loopback.test/\0',
    `https://loopback.test/${'a'.repeat(2_048)}`,
  ],
]
const onPort = (text: string) => text.replaceAll('PORT', String(canary.port))

const requestWith = (judge: JudgeAddress) => {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 })
  resolver.setServers([dns.address])
  const send = createWebhookRequest({ judge, resolve: createResolveHost(resolver) })
  return (url: string, timeoutMs = 5_000) =>
    send(url, { headers: { 'content-type': 'application/json' }, body: '{}' }, AbortSignal.timeout(timeoutMs))
}
const connectionsDuring = async (work: () => Promise<unknown>) => {
  const before = canary.connections
  await work()
  return canary.connections - before
}

test('there are enough ways to try', () => {
  expect(HOSTS.length + NAMED.length + URLS.length).toBeGreaterThan(150)
})

describe.each([
  ['no private network', []],
  ['another private network', ['10.99.0.0/16', 'fd99::/16']],
])('with %s open to webhooks', (_name, networks) => {
  const judge = createJudgeAddress(networks)
  const options = { judge, hasPrivateNetworks: networks.length > 0 }

  test.each(URLS)('%j is no URL to be told at', (text) => {
    expect(typeof parseWebhookUrl(onPort(text), options)).toBe('string')
  })

  test.each(HOSTS)('https://%s is refused, and a request connects to nothing', async (host) => {
    expect(typeof parseWebhookUrl(`https://${host}/`, options)).toBe('string')
    for (const url of [`https://${host}:${canary.port}/`, `http://${host}:${canary.port}/`]) {
      expect(typeof parseWebhookUrl(url, options)).toBe('string')
      const connections = await connectionsDuring(async () => {
        expect(await requestWith(judge)(url)).toEqual({ error: 'address_refused' })
      })
      expect(connections).toBe(0)
    }
  })

  test.each(NAMED)('https://%s leads to nothing', async (name) => {
    for (const url of [
      `https://${name}:${canary.port}/`,
      `http://${name}:${canary.port}/`,
      `https://${name}/`,
    ]) {
      const connections = await connectionsDuring(async () => {
        expect(await requestWith(judge)(url)).toEqual({
          error: expect.stringMatching(/^(address_refused|dns_failed)$/),
        })
      })
      expect(connections).toBe(0)
    }
  })

  test('and plain HTTP or another port leads to nothing on the internet', async () => {
    dns.answers('public.test', ['3ffe::1'])
    const send = requestWith(judge)
    for (const url of ['http://public.test/', 'https://public.test:22/', 'https://[3ffe::1]:6379/']) {
      expect(await send(url)).toEqual({ error: 'address_refused' })
    }
    // The address belongs to nobody: nothing but the network itself is in the way.
    expect(await send('https://public.test/', 300)).not.toEqual({ error: 'address_refused' })
  })
})

test('a network that is open to webhooks can be reached, by address and by name', async () => {
  const send = requestWith(createJudgeAddress(['127.0.0.0/8']))
  const urls = ['127.0.0.1', '0x7f.1', 'loopback.test', 'LOOPBACK.test.', '[::ffff:127.0.0.1]'].map(
    (host) => `http://${host}:${canary.port}/`,
  )
  for (const url of urls) expect(await send(url)).toEqual({ status: 200 })
  expect(await send(`http://mixed.test:${canary.port}/`)).toEqual({ error: 'address_refused' })
  expect(await send(`http://any.test:${canary.port}/`)).toEqual({ error: 'address_refused' })
})

// What it does not know: nothing of the internet is there (https://www.iana.org/assignments/ipv6-address-space).
const UNKNOWN_TO_THE_AGENT = [
  '[::127.0.0.1]',
  '[::7f00:1]',
  '[100:0:0:1::1]',
  '[1::1]',
  '[4000::1]',
  '[8000::1]',
]
test.each(HOSTS.filter((host) => !UNKNOWN_TO_THE_AGENT.includes(host)))(
  'if we took %s for public, the agent of the connection would still refuse it',
  async (host) => {
    const send = requestWith(() => 'public')
    const connections = await connectionsDuring(async () => {
      expect(await send(`https://${host}:8443/`)).toEqual({ error: 'address_refused' })
    })
    expect(connections).toBe(0)
  },
)

test('a name is asked for once per request, so that it cannot change between judging and connecting', async () => {
  dns.answers('rebinding.test', ['127.0.0.2'], ['127.0.0.1'])
  const send = requestWith(createJudgeAddress(['127.0.0.2/32']))
  const url = `http://rebinding.test:${canary.port}/`
  expect(await send(url)).toEqual({ status: 200 })
  expect(dns.asked.filter((question) => question === 'A rebinding.test')).toHaveLength(1)
  expect(await connectionsDuring(async () => send(url))).toBe(0)
  expect(await send(url)).toEqual({ error: 'address_refused' })
})

describe('an answer', () => {
  const local = () => requestWith(createJudgeAddress(['127.0.0.0/8']))

  test.each([301, 302, 303, 307, 308])('of %i leads nowhere', async (status) => {
    await using receiver = await startWebhookReceiver()
    const location = `http://127.0.0.1:${canary.port}/`
    receiver.behaves({ status, headers: { location } })
    const connections = await connectionsDuring(async () => {
      expect(await local()(receiver.url)).toEqual({ status })
    })
    expect(connections).toBe(0)
    expect(receiver.received).toHaveLength(1)
  })

  test('that never ends is cut off, and its status counts', async () => {
    await using receiver = await startWebhookReceiver()
    receiver.behaves('endless')
    expect(await local()(receiver.url, 10 * MINUTE)).toEqual({ status: 200 })
  })

  test('that does not come is a timeout', async () => {
    await using receiver = await startWebhookReceiver()
    receiver.behaves('silent')
    expect(await local()(receiver.url, 100)).toEqual({ error: 'timeout' })
  })

  test('of nobody is a refused connection', async () => {
    const receiver = await startWebhookReceiver()
    await receiver[Symbol.asyncDispose]()
    expect(await local()(receiver.url)).toEqual({ error: 'connection_refused' })
  })

  test('that is not HTTP is a failed connection', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const stop = createStop(server)
    const { port } = server.address() as AddressInfo
    expect(await local()(`http://127.0.0.1:${port}/`)).toEqual({ error: 'connection_failed' })
    await stop()
  })

  test('over TLS counts only with a certificate that the system trusts, for this host', async () => {
    const [good, other] = [
      await createCertificates(['127.0.0.1']),
      await createCertificates(['example.test']),
    ]
    await using receiver = await startWebhookReceiver(good)
    await using impostor = await startWebhookReceiver(other)
    expect(await local()(receiver.url)).toEqual({ error: 'tls_failed' })
    const trusted = getCACertificates('default')
    setDefaultCACertificates([...trusted, good.ca, other.ca])
    try {
      expect(await local()(receiver.url)).toEqual({ status: 200 })
      expect(await local()(impostor.url)).toEqual({ error: 'tls_failed' })
    } finally {
      setDefaultCACertificates(trusted)
    }
    expect(receiver.received).toHaveLength(1)
    expect(impostor.received).toHaveLength(0)
  })
})
