import type { SourceRecord, TopicPartition } from '../../../src/kafka/source.ts'
import type { SinkLimits, SinkOptions } from '../../../src/sink/options.ts'
import type { RecordMapper } from '../../../src/sink/partition-state.ts'
import { Sink } from '../../../src/sink/sink.ts'
import type { PartitionStatus } from '../../../src/sink/status.ts'
import type { EntryName, RecordWrite } from '../../../src/storage/index.ts'
import { ManualClock } from '../manual-clock.ts'
import { FakeSource, nameOf } from './fake-source.ts'
import { FakeStorage } from './fake-storage.ts'
import { recordingSinkObserver, type SinkEvent } from './recording-observer.ts'

/** Maps by the book, except values that begin with `bad` and topics that begin with `no-rule`. */
export const plainMapper: RecordMapper = {
  forPartition(topic, partition) {
    if (topic.startsWith('no-rule')) return undefined
    const target: EntryName = { bucket: 'kafka', entry: `${topic}/${partition}` }
    return {
      map(record: SourceRecord): RecordWrite | { readonly rejected: string } {
        const content = record.value ?? new Uint8Array(0)
        if (Buffer.from(content).toString('latin1').startsWith('bad')) return { rejected: 'it is bad' }
        return {
          target,
          timestampUs: record.timestampMs * 1000,
          labels: ['offset', String(record.offset)],
          contentType: 'text/plain',
          content,
        }
      },
    }
  },
}

export interface SinkBench {
  readonly sink: Sink
  readonly source: FakeSource
  readonly storage: FakeStorage
  readonly clock: ManualClock
  readonly events: SinkEvent[]
  readonly partition: (place: TopicPartition) => PartitionStatus
  /** Offsets stored in the entry of a partition, in the order they were stored. */
  readonly storedOffsets: (place: TopicPartition) => number[]
  readonly eventsOf: (name: SinkEvent['name']) => SinkEvent['facts'][]
}

/** A started sink between a fake broker and a fake store. Limits are small and time is by hand. */
export async function startSink({
  source = new FakeSource(),
  storage = new FakeStorage(),
  clock = new ManualClock(),
  limits = {},
  ...options
}: {
  source?: FakeSource
  storage?: FakeStorage
  clock?: ManualClock
  limits?: Partial<SinkLimits>
} & Partial<
  Pick<SinkOptions, 'start' | 'onDeleted' | 'mapper' | 'logger' | 'deadLetters'>
> = {}): Promise<SinkBench> {
  const { observer, events } = recordingSinkObserver()
  const sink = new Sink({
    source,
    storage,
    ledger: storage.ledger,
    clock,
    mapper: plainMapper,
    groupId: 'group-1',
    start: { kind: 'earliest' },
    observer,
    limits: { memoryBytesMax: 9000, ...limits },
    ...options,
  })
  await sink.start()
  return {
    sink,
    source,
    storage,
    clock,
    events,
    partition(place) {
      const found = sink.status().partitions.find((partition) => nameOf(partition) === nameOf(place))
      if (found === undefined) throw new Error(`${nameOf(place)} is not assigned`)
      return found
    },
    storedOffsets: (place) => storedOffsets(storage, place),
    eventsOf: (name) => events.filter((event) => event.name === name).map((event) => event.facts),
  }
}

export function storedOffsets(storage: FakeStorage, place: TopicPartition): number[] {
  return storage.stored
    .filter(({ target }) => target.bucket !== 'quarantine' && target.entry === nameOf(place))
    .map((write) => Number(write.labels[1]))
}
