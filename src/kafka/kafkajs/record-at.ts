import type { SourceRecord, TopicPartition } from '../source.ts'
import { SourceError } from '../source.ts'
import { FetchError, fetchRequest, type ReadLimits } from './fetch-protocol.ts'
import { send, type Cluster } from './internals.ts'
import { decodeRecordSet } from './record-set.ts'

/**
 * The committed record at one offset; `undefined` when there is none. Outside of any group.
 * @throws {SourceError} `ERR_BROKER`, or `ERR_BATCH` when it cannot be decoded
 */
export async function recordAt(
  cluster: Cluster,
  leader: number | undefined,
  { topic, partition }: TopicPartition,
  offset: number,
  limits: ReadLimits,
): Promise<SourceRecord | undefined> {
  if (leader === undefined || leader < 0)
    throw new SourceError('ERR_BROKER', `${topic}/${partition} does not exist or has no leader`)
  const broker = await cluster.findBroker({ nodeId: leader })
  const response = await send(broker, fetchRequest([{ topic, partition, position: offset }], limits))
  const part = response.partitions[0]
  if (part?.errorCode === FetchError.offsetOutOfRange) return undefined
  if (part === undefined || part.errorCode !== FetchError.none || response.errorCode !== FetchError.none) {
    const code = part?.errorCode ?? response.errorCode
    throw new SourceError('ERR_BROKER', `broker ${leader} does not give ${topic}/${partition}: error ${code}`)
  }
  const decoded = await decodeRecordSet(part.recordSet, offset, part.highWatermark, part.aborted, limits)
  const found = decoded.records.find((record) => record.offset === offset)
  if (found === undefined && decoded.error !== undefined) throw decoded.error
  return found
}
