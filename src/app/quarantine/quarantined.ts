import { QUARANTINE_BUCKET } from '../../mapping/entry-template.ts'
import {
  quarantineEntry,
  readQuarantined,
  replayState,
  type QuarantinedMessage,
} from '../../sink/quarantine.ts'
import { labelMap, type EntryInfo, type RecordReader, type StoredRecord } from '../../storage/index.ts'

/** Which quarantined messages are meant; what is `undefined` does not matter. */
export interface QuarantineFilter {
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  readonly offset?: number | undefined
  readonly cause?: string | undefined
}

/** A quarantined message by its labels, without its content. */
export interface QuarantinedRecord {
  readonly topic: string
  readonly partition: number
  /** Of a damaged record batch the first one that was not stored. */
  readonly offset: number
  /** One past the last offset of a damaged record batch; `undefined` for a message. */
  readonly batchEnd: number | undefined
  readonly cause: string
  readonly detail: string
  readonly rule: string
  /** See `replayState`. */
  readonly replay: 'begun' | 'done' | undefined
  readonly stored: StoredRecord
}

/** Every message in quarantine that is meant, partition by partition, by the time of its arrival. */
export async function* quarantinedRecords(
  reader: RecordReader,
  filter: QuarantineFilter = {},
): AsyncGenerator<QuarantinedRecord> {
  for (const entry of await quarantineEntries(reader, filter)) {
    for await (const stored of reader.records(entry)) {
      const found = quarantinedRecordOf(stored)
      if (found !== undefined && isMeant(found, filter)) yield found
    }
  }
}

/** Entries that may hold messages that are meant. */
export async function quarantineEntries(
  reader: Pick<RecordReader, 'entries'>,
  { topic, partition }: QuarantineFilter,
): Promise<EntryInfo[]> {
  const entries = (await reader.entries()).filter(({ bucket }) => bucket === QUARANTINE_BUCKET)
  if (topic === undefined) return entries
  const { entry: wanted } = quarantineEntry({ topic, partition: partition ?? 0 })
  const prefix = wanted.slice(0, wanted.lastIndexOf('/') + 1)
  return entries.filter(({ entry }) =>
    partition === undefined ? entry.startsWith(prefix) : entry === wanted,
  )
}

/** `undefined` for what is neither a quarantined message nor a damaged record batch. */
export function quarantinedRecordOf(stored: StoredRecord): QuarantinedRecord | undefined {
  const label = labelMap(stored.labels)
  const topic = label.get('topic')
  const partition = Number(label.get('partition') ?? NaN)
  const batchEnd = label.has('next_offset') ? Number(label.get('next_offset')) : undefined
  const offset = Number(label.get(batchEnd === undefined ? 'offset' : 'from_offset') ?? NaN)
  if (topic === undefined || !Number.isSafeInteger(partition) || !Number.isSafeInteger(offset))
    return undefined
  const text = (name: string): string => label.get(name) ?? ''
  const reason = { cause: text('cause'), detail: text('detail'), rule: text('rule') }
  return { topic, partition, offset, batchEnd, ...reason, replay: replayState(stored), stored }
}

/** The message itself, with its content. @throws {StorageError}; `undefined` when it is none of ours */
export async function readMessage({ stored }: QuarantinedRecord): Promise<QuarantinedMessage | undefined> {
  return readQuarantined(stored.labels, await stored.read())
}

export function isMeant(
  { topic, partition, offset, cause }: QuarantinedRecord,
  filter: QuarantineFilter,
): boolean {
  return (
    (filter.topic ?? topic) === topic &&
    (filter.partition ?? partition) === partition &&
    (filter.offset ?? offset) === offset &&
    (filter.cause ?? cause) === cause
  )
}
