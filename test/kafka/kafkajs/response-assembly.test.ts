// Goal: however the network cuts a stream of responses, each one arrives whole, in order and in memory of its own.
import { describe, expect, it } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import type { Connection } from '../../../src/kafka/kafkajs/internals.ts'
import { assembleResponses, createSocket } from '../../../src/kafka/kafkajs/response-assembly.ts'
import { Random } from '../../support/random.ts'

interface Response {
  readonly correlationId: number
  readonly payload: Buffer
}

function onTheWire({ correlationId, payload }: Response): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(payload.length + 4, 0)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, payload])
}

function randomResponses(random: Random, count: number, bytesMax: number): Response[] {
  return Array.from({ length: count }, (_, correlationId) => ({
    correlationId,
    payload: Buffer.from(Array.from({ length: random.between(0, bytesMax) }, () => random.between(0, 255))),
  }))
}

function connectionOn(socket: object): { connection: Connection; received: Response[] } {
  const received: Response[] = []
  const requestQueue = {
    fulfillRequest: ({ correlationId, payload }: Response) => received.push({ correlationId, payload }),
  }
  return { connection: { socket, requestQueue, authHandlers: null } as unknown as Connection, received }
}

describe('assembling responses', () => {
  it.each([1, 2, 3, 4, 5])('does not depend on where the stream is cut (seed %i)', (seed) => {
    const random = new Random(seed)
    const sent = randomResponses(random, 40, 300)
    const stream = Buffer.concat(sent.map(onTheWire))
    const { connection, received } = connectionOn({})

    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + random.between(1, seed === 1 ? 1 : 500))
      // As a reused read buffer: what was handed over does not stay.
      const chunk = Buffer.from(stream.subarray(at, end))
      assembleResponses(connection, chunk)
      chunk.fill(0xee)
      at = end
    }

    expect(received).toEqual(sent)
  })

  it('closes the connection on an impossible length', () => {
    const destroyed: Error[] = []
    const { connection, received } = connectionOn({
      destroy: (error: Error) => destroyed.push(error),
    })

    assembleResponses(connection, Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]))

    expect(received).toEqual([])
    expect(destroyed.map(String)).toEqual(['Error: a response of -1 bytes was announced'])
  })

  it('reads a real socket to its end, responses larger than one read included', async () => {
    const random = new Random(7)
    const sent = [
      ...randomResponses(random, 20, 100),
      { correlationId: 99, payload: Buffer.alloc(3_000_000, 7) },
    ]
    const server = createServer((socket) => {
      for (const response of sent) socket.write(onTheWire(response))
      socket.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo

    const socket = createSocket({ host: '127.0.0.1', port, onConnect: () => undefined })
    const { connection, received } = connectionOn(socket)
    socket.on('data', (bytes: Buffer) => assembleResponses(connection, bytes))
    await once(socket, 'end')
    socket.destroy()
    server.close()

    // A matcher looks at three million bytes one by one.
    const asText = (responses: typeof received) =>
      responses.map(({ correlationId, payload }) => [correlationId, payload.toString('latin1')])
    expect(asText(received)).toEqual(asText(sent))
  })
})
