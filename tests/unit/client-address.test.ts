import express from 'express'
import fc from 'fast-check'
import request from 'supertest'
import { clientAddress } from '../../src/http/client-address.ts'

test('the address of a client is the one that Express sees, however many proxies there are', async () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant(''))
  await fc.assert(
    fc.asyncProperty(
      fc.array(address, { maxLength: 4 }),
      fc.integer({ min: 0, max: 4 }),
      async (forwarded, hops) => {
        const app = express()
        app.set('trust proxy', hops)
        app.use((asked, answer) => void answer.json({ theirs: asked.ip, ours: clientAddress(asked, hops) }))
        const { body } = await request(app).get('/').set('X-Forwarded-For', forwarded.join(', '))
        expect(body.ours).toBe(body.theirs)
      },
    ),
    { numRuns: 50 },
  )
})
