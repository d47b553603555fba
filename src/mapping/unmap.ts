import { labelMap, type LabelList } from '../storage/index.ts'
import { readHeaderLabels } from './headers.ts'
import { labels as ours } from './label-names.ts'
import type { KafkaMessage } from './message.ts'

/** What a stored record shows of itself. */
export interface MappedRecord {
  readonly entry: string
  /** The slot it got. */
  readonly timestampUs: bigint
  readonly labels: LabelList
  readonly content: Uint8Array
}

/** The message as Kafka had it. */
export interface UnmappedMessage extends KafkaMessage {
  readonly topic: string
  readonly partition: number
  /** `record`, or what was taken instead: the label `ts_source`. */
  readonly timestampSource: string
}

/** Where in Kafka a record was; its offset is that of the message. */
export interface RecordOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** What labels and entry name say, of a quarantined message too; `undefined` when the record is none of Kafka's. */
export function recordOrigin(labels: LabelList, entry: string): RecordOrigin | undefined {
  return originOf(labelMap(labels), entry)
}

/** The inverse of `PartitionMapper.map`; `undefined` when the record does not come from there. */
export function unmapRecord(record: MappedRecord): UnmappedMessage | undefined {
  const labels = labelMap(record.labels)
  const origin = originOf(labels, record.entry)
  const headers = readHeaderLabels(labels)
  if (origin === undefined || headers === undefined) return undefined
  const timestampSource = labels.get(ours.timestampSource)
  return {
    ...origin,
    timestampMs:
      timestampSource !== undefined
        ? Number(labels.get(ours.timestampRecord) ?? -1)
        : Math.floor(Number(labels.get(ours.timestampOriginal) ?? record.timestampUs) / 1000),
    timestampSource: timestampSource ?? 'record',
    key: readKey(labels),
    value: labels.get(ours.valueState) === 'null' ? null : record.content,
    headers,
  }
}

function originOf(labels: ReadonlyMap<string, string>, entry: string): RecordOrigin | undefined {
  const offset = naturalNumber(labels.get(ours.offset))
  const label = labels.get(ours.partition)
  const slash = entry.lastIndexOf('/')
  const rest = label === undefined ? entry.slice(0, Math.max(0, slash)) : entry
  const partition = naturalNumber(label ?? entry.slice(slash + 1))
  const topic = labels.get(ours.topic) ?? rest
  if (offset === undefined || partition === undefined || topic === '') return undefined
  return { topic, partition, offset }
}

function readKey(labels: ReadonlyMap<string, string>): Uint8Array | null {
  const text = labels.get(ours.key)
  if (text !== undefined) return Buffer.from(text, 'latin1')
  const encoded = labels.get(ours.key64)
  if (encoded !== undefined) return Buffer.from(encoded, 'base64url')
  return labels.get(ours.keyState) === 'empty' ? Buffer.alloc(0) : null
}

function naturalNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}
