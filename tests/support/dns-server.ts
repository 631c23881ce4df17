import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { SocketAddress } from 'node:net'

const HEADER_BYTES = 12
const TYPES = { 1: 'A', 28: 'AAAA' } as const
type RecordType = (typeof TYPES)[keyof typeof TYPES]

export interface DnsServer extends AsyncDisposable {
  /** For `Resolver.setServers`. */
  address: string
  /** What was asked, such as `A example.test`. */
  asked: string[]
  /** Answers for a name: each set once in order, the last one for good. */
  answers(name: string, ...sets: readonly (readonly string[])[]): void
}

/** A name server (RFC 1035 section 4) on 127.0.0.1 that knows the names it is told, with a time to live of 0. */
export async function startDnsServer(): Promise<DnsServer> {
  const zones = new Map<string, Record<RecordType, (readonly string[])[]>>()
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { name, type, end } = question(query)
    const recordType = TYPES[type as keyof typeof TYPES]
    asked.push(`${recordType ?? type} ${name}`)
    const sets = zones.get(name)?.[recordType]
    const addresses = (sets && sets.length > 1 ? sets.shift() : sets?.[0]) ?? []
    const records = addresses.filter((address) => address.includes(':') === (recordType === 'AAAA'))
    socket.send(answer(query.subarray(0, end), type, records, zones.has(name)), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    // Both types are asked for; each goes through the sets by itself.
    answers: (name, ...sets) => void zones.set(name, { A: [...sets], AAAA: [...sets] }),
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** @param asked header and question, which stand in the answer again. */
function answer(asked: Buffer, type: number, addresses: readonly string[], isKnown: boolean): Buffer {
  const head = Buffer.from(asked)
  // An answer, recursion desired and available; NXDOMAIN for a name nobody has.
  head.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2)
  head.writeUInt16BE(addresses.length, 6)
  // No records of authority, none besides.
  head.writeUInt32BE(0, 8)
  const records = addresses.map((address) => {
    const data = bytesOf(address)
    const record = Buffer.alloc(12)
    // The name is the one of the question.
    record.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
    record.writeUInt16BE(type, 2)
    record.writeUInt16BE(1, 4)
    record.writeUInt16BE(data.length, 10)
    return Buffer.concat([record, data])
  })
  return Buffer.concat([head, ...records])
}

function bytesOf(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  // As hexadecimal groups, with the zeroes that `::` stands for.
  const { hostname } = new URL(`http://[${new SocketAddress({ address, family: 'ipv6' }).address}]`)
  const [left = '', right] = hostname.slice(1, -1).split('::')
  const groups = (text = '') => text.split(':').filter((group) => group !== '')
  const [before, after] = [groups(left), groups(right)]
  const zeroes = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return Buffer.from([...before, ...zeroes, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex')
}
