import { once } from 'node:events'
import { request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { listen } from '../../src/http/server.ts'
import { until } from '../support/conditions.ts'

const options = { host: '127.0.0.1', port: 0, portVariable: 'PORT' }

test('a stop does not wait for a connection on which nothing was asked', async () => {
  const server = await listen((_request, response) => response.end('ok'), options)
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  // Connected on our side says nothing about theirs: a request on another connection follows it.
  await (await fetch(server.url)).text()
  const begin = performance.now()
  await server.close(10_000)
  expect(performance.now() - begin).toBeLessThan(8_000)
  socket.destroy()
})

test('a stop lets the request in hand end, and cuts it when the time is up', async () => {
  const inHand = new Map<string, ServerResponse>()
  const server = await listen((request, response) => inHand.set(request.url ?? '', response), options)
  const quick = fetch(`${server.url}/quick`).then((response) => response.text())
  const endless = fetch(`${server.url}/endless`).then(String, (error: Error) => error.name)
  await until(() => inHand.size === 2, { description: 'both requests are in hand' })
  const begin = performance.now()
  const closed = server.close(300)
  inHand.get('/quick')?.end('done')
  expect(await quick).toBe('done')
  await closed
  expect(performance.now() - begin).toBeGreaterThanOrEqual(290)
  expect(await endless).toBe('TypeError')
  await expect(fetch(server.url)).rejects.toThrow()
})

test('a taken port is told in one sentence', async () => {
  const server = await listen((_request, response) => response.end(), options)
  const port = Number(new URL(server.url).port)
  await expect(listen(() => undefined, { ...options, port })).rejects.toThrow(
    `port ${port} on 127.0.0.1 is taken by another program; choose another one with PORT`,
  )
  await expect(listen(() => undefined, { ...options, host: '192.0.2.1' })).rejects.toThrow(
    '192.0.2.1 is no address of this machine; it comes from HOST',
  )
  await server.close(100)
})

test('only who asks for a WebSocket is handed over, and a stop ends it, too', async () => {
  const upgrade = (_request: unknown, socket: Duplex) =>
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const server = await listen((_request, response) => response.end('ok'), { ...options, upgrade })
  const ask = async (protocol: string) => {
    const asked = request(server.url, { headers: { connection: 'Upgrade', upgrade: protocol } }).end()
    const [answer] = await Promise.race([once(asked, 'response'), once(asked, 'upgrade')])
    return { answer, asked }
  }
  const http2 = await ask('h2c')
  expect(http2.answer.statusCode).toBe(200)
  http2.answer.resume()
  const { answer, asked } = await ask('websocket')
  expect(answer.statusCode).toBe(101)
  const ended = once(answer.socket, 'close')
  await server.close(100)
  await ended
  asked.destroy()
})
