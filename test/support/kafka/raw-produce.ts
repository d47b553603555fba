import { connect } from 'node:net'
import { int16, int32 } from '../bytes.ts'

const API_PRODUCE = 0
/** Version 3: record batches of format 2, and the oldest that Kafka 4 takes. */
const API_VERSION = 3
const ACKS_ALL = -1
const BROKER_TIMEOUT_MS = 20_000

/**
 * Sends record batches as they are – times, headers and codecs that no client library would write – and resolves
 * with the offset of the first record once the broker has acknowledged them.
 *
 * @param bootstrap - `host:port` of the leader; with one broker that is any
 * @throws {Error} with Kafka's error code
 */
export async function produceBatch(
  bootstrap: string,
  topic: string,
  partition: number,
  batch: Uint8Array,
): Promise<number> {
  const body = Buffer.concat([
    int16(-1), // no transactional id
    int16(ACKS_ALL),
    int32(BROKER_TIMEOUT_MS),
    int32(1),
    string(topic),
    int32(1),
    int32(partition),
    int32(batch.length),
    batch,
  ])
  const answer = await ask(bootstrap, body)
  // One topic with one partition: array, name, array, partition, error, offset, …
  const errorAt = 4 + 2 + answer.readInt16BE(4) + 4 + 4
  const code = answer.readInt16BE(errorAt)
  if (code !== 0) throw new Error(`${topic}/${partition}: Kafka refused the batch with error ${code}`)
  return Number(answer.readBigInt64BE(errorAt + 2))
}

/** The response behind its correlation id. */
function ask(bootstrap: string, body: Uint8Array): Promise<Buffer> {
  const [host = '', port = ''] = bootstrap.split(':')
  const head = Buffer.concat([int16(API_PRODUCE), int16(API_VERSION), int32(1), string('sediment-test')])
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) })
    const fail = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    let received = Buffer.alloc(0)
    socket.setTimeout(BROKER_TIMEOUT_MS, () => fail(new Error(`no answer from ${bootstrap}`)))
    socket.once('error', fail)
    socket.once('close', () => fail(new Error(`${bootstrap} closed the connection`)))
    socket.once('connect', () => socket.write(Buffer.concat([int32(head.length + body.length), head, body])))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      resolve(received.subarray(8))
      socket.destroy()
    })
  })
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([int16(bytes.length), bytes])
}
