import type { DamagedBatch, SourceRecord, TopicPartition } from '../kafka/source.ts'
import { legalSegment, QUARANTINE_BUCKET } from '../mapping/entry-template.ts'
import { legalLabelText } from '../mapping/label-text.ts'
import { labelMap, type EntryName, type LabelList, type RecordWrite } from '../storage/index.ts'

const CONTENT_TYPE = 'application/vnd.sediment.rejected'
const LABEL_LENGTH_MAX = 200
const LINE_END = 0x0a
/** Labels of a quarantined message that was mapped later; their value is the `bucket/entry` it goes into. */
const REPLAY_BEGUN = 'replaying'
const REPLAY_DONE = 'replayed'

/** Why a message was not stored as its rule asks. */
export interface RejectionReason {
  readonly cause: string
  /** What exactly, for people. */
  readonly detail: string
  /** What people call the rule; empty where it is not known. */
  readonly rule: string
}

/** A message as it lies in quarantine: whole, with why it is there. */
export interface QuarantinedMessage extends TopicPartition {
  readonly record: SourceRecord
  readonly reason: RejectionReason
  /** When it was mapped, in milliseconds since 1970. */
  readonly arrivalMs: number
}

/** The first line of the content. Bytes are base64url. */
interface Head {
  readonly key: string | null
  /** Pairs in order. */
  readonly headers: readonly (readonly [name: string, value: string | null])[]
  readonly timestampMs: number
  readonly timestampType: SourceRecord['timestampType']
  readonly isTombstone: boolean
  readonly cause: string
  readonly detail: string
  readonly rule: string
  readonly arrivalMs: number
}

/**
 * A rejected message as a record that loses nothing, whatever its key and headers are. The content is `Head` as one line
 * of JSON, a newline, and the value as it came. Labels say what the message is and why it is here, cut to what fits.
 */
export function quarantinedRecord(
  record: SourceRecord,
  { cause, detail, rule }: RejectionReason,
  { topic, partition }: TopicPartition,
  arrivalMs: number,
): RecordWrite {
  const head: Head = {
    key: text64(record.key),
    headers: record.headers.map(({ name, value }) => [text64(name) as string, text64(value)]),
    timestampMs: record.timestampMs,
    timestampType: record.timestampType,
    isTombstone: record.value === null,
    cause,
    detail,
    rule,
    arrivalMs,
  }
  const reasons = Object.entries({ cause, detail, rule }).flatMap(([name, text]) => {
    const value = legalLabelText(text.slice(0, LABEL_LENGTH_MAX))
    return value === undefined ? [] : [name, value]
  })
  return {
    target: quarantineEntry({ topic, partition }),
    timestampUs: Math.floor(arrivalMs) * 1000,
    labels: [
      ...['offset', String(record.offset), 'topic', topic, 'partition', String(partition)],
      ...reasons,
    ],
    contentType: CONTENT_TYPE,
    content: Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), record.value ?? new Uint8Array(0)]),
  }
}

/**
 * A record batch that cannot be decoded, byte for byte. It has no label `offset`: it is no record of an offset.
 * @param fromOffset the first offset of it that was not stored
 */
export function quarantinedBatch(
  { nextOffset, bytes }: DamagedBatch,
  fromOffset: number,
  { cause, detail }: Omit<RejectionReason, 'rule'>,
  { topic, partition }: TopicPartition,
  arrivalMs: number,
): RecordWrite {
  return {
    target: quarantineEntry({ topic, partition }),
    timestampUs: arrivalMs * 1000,
    labels: [
      ...['from_offset', String(fromOffset), 'next_offset', String(nextOffset)],
      ...['topic', topic, 'partition', String(partition), 'cause', cause],
      ...['detail', legalLabelText(detail.slice(0, LABEL_LENGTH_MAX)) ?? ''],
    ],
    contentType: 'application/vnd.sediment.record-batch',
    content: bytes,
  }
}

/** The inverse of `quarantinedRecord`; `undefined` for what it has not made. `value` is a view into `content`. */
export function readQuarantined(labels: LabelList, content: Uint8Array): QuarantinedMessage | undefined {
  const label = labelMap(labels)
  const lineEnd = content.indexOf(LINE_END)
  const offset = Number(label.get('offset') ?? NaN)
  const partition = Number(label.get('partition') ?? NaN)
  const topic = label.get('topic')
  const head = lineEnd < 0 ? undefined : readHead(content.subarray(0, lineEnd))
  if (head === undefined || topic === undefined) return undefined
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(partition)) return undefined
  const { key, headers, timestampMs, timestampType, isTombstone, cause, detail, rule, arrivalMs } = head
  return {
    topic,
    partition,
    record: {
      offset,
      timestampMs,
      timestampType,
      key: bytesOf(key),
      value: isTombstone ? null : content.subarray(lineEnd + 1),
      headers: headers.map(([name, value]) => ({
        name: Buffer.from(name, 'base64url'),
        value: bytesOf(value),
      })),
    },
    reason: { cause, detail, rule },
    arrivalMs,
  }
}

/**
 * How far a record is whose message lay in quarantine and was mapped again: `begun`, it may be in its right entry by now;
 * `done`, it is there, and this one is a copy. `undefined` for all other records.
 */
export function replayState({
  bucket,
  labels,
}: {
  readonly bucket: string
  readonly labels: LabelList
}): 'begun' | 'done' | undefined {
  if (bucket !== QUARANTINE_BUCKET) return undefined
  const label = labelMap(labels)
  if (label.has(REPLAY_DONE)) return 'done'
  return label.has(REPLAY_BEGUN) ? 'begun' : undefined
}

/** The `bucket/entry` that the message of a replayed record goes or went into. */
export function replayTarget(labels: LabelList): string | undefined {
  const label = labelMap(labels)
  return label.get(REPLAY_DONE) ?? label.get(REPLAY_BEGUN)
}

/** Changes of labels that say how far a replay is. */
export const replayMarks = {
  begun: ({ bucket, entry }: EntryName) => ({ set: new Map([[REPLAY_BEGUN, `${bucket}/${entry}`]]) }),
  done: (path: string) => ({ set: new Map([[REPLAY_DONE, path]]), remove: [REPLAY_BEGUN] }),
  /** It was not stored after all. */
  none: () => ({ remove: [REPLAY_BEGUN] }),
}

/** Where the rejected messages of a partition are kept: an entry like any other, found by any tool. */
export function quarantineEntry({ topic, partition }: TopicPartition): EntryName {
  return { bucket: QUARANTINE_BUCKET, entry: `${legalSegment(topic)}/${partition}` }
}

function readHead(line: Uint8Array): Head | undefined {
  try {
    const head = JSON.parse(Buffer.from(line).toString()) as Head
    return Array.isArray(head.headers) && Number.isFinite(head.arrivalMs) ? head : undefined
  } catch {
    return undefined
  }
}

function text64(bytes: Uint8Array | null): string | null {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

function bytesOf(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text, 'base64url')
}
