import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { corkWrites } from '../../src/lib/cork-writes.ts'

test('what is written in one turn leaves in one piece, in order, and the next turn in the next one', async () => {
  const pieces: string[] = []
  const server = createServer((socket) => socket.on('data', (data) => pieces.push(String(data))))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let flushes = 0
  const writev = socket._writev?.bind(socket)
  socket._writev = (chunks, done) => {
    flushes += 1
    writev?.(chunks, done)
  }
  corkWrites(socket)

  for (let i = 0; i < 10; i += 1) socket.write(`a${i} `)
  const turn = Promise.withResolvers<void>()
  setImmediate(() => setImmediate(turn.resolve))
  await turn.promise
  socket.end('b')
  await once(socket, 'close')
  expect(pieces.join('')).toBe('a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 b')
  expect(flushes).toBe(1)
  server.close()
})
