import { Api, encoded, type ProtocolRequest } from './internals.ts'

/** The oldest version that Kafka 4 takes: record batches of format 2. */
const PRODUCE_VERSION = 3
const ACKS_ALL = -1

export interface ProducedPartition {
  readonly errorCode: number
  /** -1 when it was not taken. */
  readonly baseOffset: number
}

/** Appends one record batch to one partition; answered when all in-sync replicas have it. */
export function produceRequest(
  topic: string,
  partition: number,
  batch: Buffer,
  timeoutMs: number,
): ProtocolRequest<ProducedPartition> {
  return {
    request: {
      apiKey: Api.Produce,
      apiVersion: PRODUCE_VERSION,
      apiName: 'Produce',
      encode: () => Promise.resolve(encoded(encodeProduce(topic, partition, batch, timeoutMs))),
    },
    response: {
      decode: (raw) => Promise.resolve(decodeProduce(raw)),
      parse: (decoded) => Promise.resolve(decoded),
    },
  }
}

function encodeProduce(topic: string, partition: number, batch: Buffer, timeoutMs: number): Buffer {
  const name = Buffer.from(topic)
  const body = Buffer.alloc(2 + 2 + 4 + 4 + 2 + name.length + 4 + 4 + 4)
  let at = body.writeInt16BE(-1, 0) // no transaction
  at = body.writeInt16BE(ACKS_ALL, at)
  at = body.writeInt32BE(timeoutMs, at)
  at = body.writeInt32BE(1, at)
  at = body.writeInt16BE(name.length, at)
  at += name.copy(body, at)
  at = body.writeInt32BE(1, at)
  at = body.writeInt32BE(partition, at)
  body.writeInt32BE(batch.length, at)
  return Buffer.concat([body, batch])
}

/** @throws {RangeError} when the response is shorter than it says */
function decodeProduce(raw: Buffer): ProducedPartition {
  // One topic with one partition: count, name, count, partition, error code, base offset, time.
  const partitionAt = 4 + 2 + raw.readInt16BE(4) + 4
  return {
    errorCode: raw.readInt16BE(partitionAt + 4),
    baseOffset: Number(raw.readBigInt64BE(partitionAt + 6)),
  }
}
