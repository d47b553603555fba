import { QUARANTINE_BUCKET } from '../mapping/entry-template.ts'
import { unmapRecord } from '../mapping/unmap.ts'
import type { StoredRecord } from '../storage/index.ts'
import { labelObject } from './labels.ts'
import { formatTimeUs } from './time-argument.ts'

const NO_CONTENT = new Uint8Array(0)

/**
 * One JSON object without a line end. `timestampUs` is an integer of any size; `kafka` is there when the record
 * came from Kafka. Bytes that are no UTF-8 text stand in base64 under a name with `Base64` at its end.
 *
 * @param content - the payload to be included as `payload` in base64, or nothing
 */
export function recordToJson(record: StoredRecord, content?: Uint8Array): string {
  const rest = JSON.stringify({
    time: formatTimeUs(record.timestampUs),
    bucket: record.bucket,
    entry: record.entry,
    ...(record.state === 'finished' ? {} : { state: record.state }),
    contentType: record.contentType,
    contentBytes: record.contentBytes,
    labels: labelObject(record.labels),
    ...kafkaPart(record),
    ...(content === undefined ? {} : { payload: Buffer.from(content).toString('base64') }),
  })
  return `{"timestampUs":${record.timestampUs},${rest.slice(1)}`
}

function kafkaPart(record: StoredRecord): { kafka?: object } {
  const { bucket, entry, timestampUs, labels } = record
  // There the content holds the message, not the labels.
  if (bucket === QUARANTINE_BUCKET) return {}
  const message = unmapRecord({ entry, timestampUs, labels, content: NO_CONTENT })
  if (message === undefined) return {}
  return {
    kafka: {
      topic: message.topic,
      partition: message.partition,
      offset: message.offset,
      timestampMs: message.timestampMs,
      ...bytesField('key', message.key),
      headers: message.headers.map(({ name, value }) => ({
        ...bytesField('name', name),
        ...bytesField('value', value),
      })),
      ...(message.value === null ? { tombstone: true } : {}),
    },
  }
}

export function bytesField(name: string, bytes: Uint8Array | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null }
  try {
    return { [name]: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { [`${name}Base64`]: Buffer.from(bytes).toString('base64') }
  }
}
