/** The three Kafka requests that starting a broker needs, by hand: quicker than a JVM, and free of any client. */
import net from 'node:net'

const API_METADATA = 3
const API_CREATE_TOPICS = 19

function string(text) {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(2)
  length.writeInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function int32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int16(value) {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

/** One request on a connection of its own; resolves with the response body after the correlation id. */
function ask(bootstrap, apiKey, apiVersion, body, timeoutMs) {
  const [host, port] = bootstrap.split(':')
  const request = Buffer.concat([int16(apiKey), int16(apiVersion), int32(1), string('sediment-dev'), body])
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port: Number(port) })
    const chunks = []
    let received = 0
    const fail = (error) => {
      socket.destroy()
      reject(error)
    }
    socket.setTimeout(timeoutMs, () => fail(new Error(`no answer from ${bootstrap} within ${timeoutMs} ms`)))
    socket.once('error', fail)
    socket.once('close', () => fail(new Error(`${bootstrap} closed the connection`)))
    socket.once('connect', () => socket.write(Buffer.concat([int32(request.length), request])))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      received += chunk.length
      const all = received < 4 ? undefined : Buffer.concat(chunks)
      if (all === undefined || received < 4 + all.readInt32BE(0)) return
      socket.removeAllListeners('close')
      socket.destroy()
      resolve(all.subarray(8))
    })
  })
}

/** How many live brokers answer; rejects while none does. */
export async function countBrokers(bootstrap, timeoutMs = 2000) {
  const body = await ask(bootstrap, API_METADATA, 1, int32(0), timeoutMs)
  return body.readInt32BE(0)
}

/**
 * @param {string} bootstrap
 * @param {{ name: string, partitions?: number, replication?: number, config?: Record<string, string> }[]} topics
 */
export async function createTopics(bootstrap, topics, timeoutMs = 30_000) {
  const parts = [int32(topics.length)]
  for (const { name, partitions = 1, replication = 1, config = {} } of topics) {
    parts.push(string(name), int32(partitions), int16(replication), int32(0))
    const entries = Object.entries(config)
    parts.push(int32(entries.length))
    for (const [key, value] of entries) parts.push(string(key), string(String(value)))
  }
  parts.push(int32(timeoutMs), Buffer.from([0]))
  const answer = await ask(bootstrap, API_CREATE_TOPICS, 2, Buffer.concat(parts), timeoutMs + 1000)
  let at = 4
  const count = answer.readInt32BE(at)
  at += 4
  for (let index = 0; index < count; index++) {
    const nameBytes = answer.readInt16BE(at)
    const name = answer.toString('utf8', at + 2, at + 2 + nameBytes)
    at += 2 + nameBytes
    const code = answer.readInt16BE(at)
    const messageBytes = answer.readInt16BE(at + 2)
    const message = messageBytes < 0 ? '' : answer.toString('utf8', at + 4, at + 4 + messageBytes)
    at += 4 + Math.max(0, messageBytes)
    if (code !== 0) throw new Error(`topic ${name} was not created: error ${code} ${message}`)
  }
}
