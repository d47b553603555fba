import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import type { Connection } from './internals.ts'
import { responseMemory } from './response-memory.ts'

const KEEP_ALIVE_MS = 60_000
/** One read of a socket; more is never there at once. */
const READ_BYTES = 256 * 1024
const LENGTH_BYTES = 4
const CORRELATION_ID_BYTES = 4

interface SocketRequest {
  readonly host: string
  readonly port: number
  readonly ssl?: ConnectionOptions
  readonly onConnect: () => void
}

/** The answer that is arriving on a socket. */
interface Assembly {
  readonly length: Buffer
  lengthBytes: number
  body: Buffer | undefined
  bodyBytes: number
}

const assemblies = new WeakMap<Socket, Assembly>()

/**
 * Plain sockets that read into one buffer again and again: Node would make a new one for every 64 KiB, and their memory
 * alone keeps the garbage collector busy. What 'data' brings is valid during the event only.
 */
export function createSocket({ host, port, ssl, onConnect }: SocketRequest): Socket {
  const socket = ssl ? tlsSocket(host, port, ssl, onConnect) : plainSocket(host, port, onConnect)
  // kafkajs lets go of a closed socket again and again, and each time Node would wait for it to connect.
  socket.once('close', () => (socket.unref = () => socket))
  return socket.setKeepAlive(true, KEEP_ALIVE_MS)
}

function plainSocket(host: string, port: number, onConnect: () => void): Socket {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const callback = (bytes: number): boolean => {
    socket.emit('data', buffer.subarray(0, bytes))
    return true
  }
  const socket: Socket = connect({ host, port, onread: { buffer, callback } }, onConnect)
  return socket
}

function tlsSocket(host: string, port: number, ssl: ConnectionOptions, onConnect: () => void): Socket {
  return connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
}

/** In place of collecting chunks and joining them: an answer is copied once, into memory of its own. */
export function assembleResponses(connection: Connection, bytes: Buffer): void {
  const { socket, requestQueue } = connection
  let assembly = assemblies.get(socket)
  if (assembly === undefined) {
    assembly = { length: Buffer.alloc(LENGTH_BYTES), lengthBytes: 0, body: undefined, bodyBytes: 0 }
    assemblies.set(socket, assembly)
  }
  for (let at = 0; at < bytes.length;) {
    if (assembly.body === undefined) {
      const copied = bytes.copy(assembly.length, assembly.lengthBytes, at)
      at += copied
      assembly.lengthBytes += copied
      if (assembly.lengthBytes < LENGTH_BYTES) return
      const length = assembly.length.readInt32BE(0)
      if (length < CORRELATION_ID_BYTES) {
        socket.destroy(new Error(`a response of ${length} bytes was announced`))
        return
      }
      assembly.body = responseMemory.take(length)
      assembly.bodyBytes = 0
    }
    const { body } = assembly
    const copied = bytes.copy(body, assembly.bodyBytes, at)
    at += copied
    assembly.bodyBytes += copied
    if (assembly.bodyBytes < body.length) return
    assembly.body = undefined
    assembly.lengthBytes = 0
    requestQueue.fulfillRequest({
      size: body.length,
      correlationId: body.readInt32BE(0),
      payload: body.subarray(CORRELATION_ID_BYTES),
    })
  }
}
