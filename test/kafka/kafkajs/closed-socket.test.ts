import { expect, it } from '@jest/globals'
import { once } from 'node:events'
import net from 'node:net'
import { createSocket } from '../../../src/kafka/kafkajs/response-assembly.ts'

it('a closed socket that is let go of again and again gathers no listeners', async () => {
  const server = net.createServer((peer) => peer.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const socket = createSocket({ host: '127.0.0.1', port, onConnect: () => {} })
  socket.on('error', () => {})
  await once(socket.resume(), 'close')
  const before = socket.listenerCount('connect')
  for (let count = 0; count < 20; count++) socket.unref()
  expect(socket.listenerCount('connect')).toBe(before)
  server.close()
})
