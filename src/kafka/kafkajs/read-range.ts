import type { Clock } from '../../base/clock.ts'
import { SourceError, type SourceRecord, type TopicPartition } from '../source.ts'
import { FetchError, fetchRequest, type ReadLimits } from './fetch-protocol.ts'
import { errorText, send, type Cluster } from './internals.ts'
import { decodeRecordSet, type DecodedRecordSet } from './record-set.ts'

const ATTEMPTS = 8
const RETRY_MS = 250

/** What Kafka holds of a range, piece by piece. */
export interface RangePiece {
  readonly records: readonly SourceRecord[]
  /** One past the last offset that was looked at. */
  readonly nextOffset: number
}

export interface RangeOptions {
  readonly cluster: Cluster
  readonly leaderOf: (partition: TopicPartition) => number | undefined
  readonly limits: ReadLimits
  readonly clock: Clock
}

/**
 * The committed records of a range, in order and outside of any group; the last piece may reach beyond it.
 * @param toOffset exclusive, at most what can be read
 * @throws {SourceError} `ERR_BROKER`, or `ERR_BATCH` where a batch cannot be decoded
 */
export async function* readRange(
  options: RangeOptions,
  place: TopicPartition,
  fromOffset: number,
  toOffset: number,
): AsyncGenerator<RangePiece> {
  for (let position = fromOffset; position < toOffset;) {
    const { records, nextOffset } = await readPiece(options, place, position)
    yield { records, nextOffset }
    position = nextOffset
  }
}

async function readPiece(
  { cluster, leaderOf, limits, clock }: RangeOptions,
  place: TopicPartition,
  position: number,
): Promise<DecodedRecordSet> {
  let trouble: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await clock.sleep(Math.min(RETRY_MS * 2 ** attempt, 3_000))
    try {
      if (attempt > 0) await cluster.refreshMetadata()
      const leader = leaderOf(place) ?? -1
      if (leader < 0) throw new Error('it does not exist or has no leader')
      const broker = await cluster.findBroker({ nodeId: leader })
      const response = await send(broker, fetchRequest([{ ...place, position }], limits))
      const part = response.partitions[0]
      const errorCode = part?.errorCode ?? response.errorCode
      if (part === undefined || errorCode !== FetchError.none) throw new Error(`error ${errorCode}`)
      const decoded = await decodeRecordSet(
        part.recordSet,
        position,
        part.highWatermark,
        part.aborted,
        limits,
      )
      if (decoded.nextOffset > position) return decoded
      trouble = decoded.error ?? new Error(`nothing at offset ${position}`)
    } catch (error) {
      trouble = error
    }
  }
  if (trouble instanceof SourceError && trouble.code === 'ERR_BATCH') throw trouble
  const { topic, partition } = place
  throw new SourceError('ERR_BROKER', `${topic}/${partition} cannot be read: ${errorText(trouble)}`, trouble)
}
