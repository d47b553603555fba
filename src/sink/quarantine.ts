import type { SourceRecord, TopicPartition } from '../kafka/source.ts'
import { legalSegment } from '../mapping/entry-template.ts'
import type { EntryName, RecordWrite } from '../storage/index.ts'

const BUCKET = 'kafka'
const CONTENT_TYPE = 'application/vnd.sediment.rejected'
const CAUSE_LENGTH_MAX = 200

/**
 * A rejected message as a record that loses nothing, whatever its key and headers are. The content is one line of
 * JSON (`key`, `headers` as pairs in order, `timestampMs`, `timestampType`, `isTombstone`; bytes as base64url),
 * a newline, and the value as it came.
 */
export function quarantinedRecord(
  record: SourceRecord,
  cause: string,
  { topic, partition }: TopicPartition,
  arrivalMs: number,
): RecordWrite {
  const head = JSON.stringify({
    key: text64(record.key),
    headers: record.headers.map(({ name, value }) => [text64(name), text64(value)]),
    timestampMs: record.timestampMs,
    timestampType: record.timestampType,
    isTombstone: record.value === null,
  })
  return {
    target: quarantineEntry(topic, partition),
    timestampUs: Math.floor(arrivalMs) * 1000,
    labels: [
      'offset',
      String(record.offset),
      'topic',
      topic,
      'partition',
      String(partition),
      'cause',
      printable(cause),
    ],
    contentType: CONTENT_TYPE,
    content: Buffer.concat([Buffer.from(`${head}\n`), record.value ?? new Uint8Array(0)]),
  }
}

/** Where the rejected messages of a partition are kept: an entry like any other, found by any tool. */
function quarantineEntry(topic: string, partition: number): EntryName {
  return { bucket: BUCKET, entry: `quarantine/${legalSegment(topic)}/${partition}` }
}

function text64(bytes: Uint8Array | null): string | null {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

function printable(cause: string): string {
  return cause.replace(/[^\x20-\x7e]/g, '?').slice(0, CAUSE_LENGTH_MAX)
}
