import { createHash } from 'node:crypto'
import type { RecordReader, StoredRecord } from '../../../src/storage/record.ts'
import type { GoldenRecord } from '../golden.ts'

/** A record in the words of the golden manifests, so that differences are readable. */
export type ReadRecord =
  | { readonly ts: string; readonly state: 'ERRORED' }
  | {
      readonly ts: string
      readonly labels: Readonly<Record<string, string>>
      readonly content_type: string
      readonly size: number
      readonly sha256: string
    }

/** By `bucket/entry`, entries without records included. */
export type Contents = Record<string, ReadRecord[]>

/** Everything a reader shows, read to the last byte: whole entries, and each record by its time. */
export async function contentsOf(reader: RecordReader): Promise<Contents> {
  const contents: Contents = {}
  for (const { bucket, entry } of await reader.entries()) {
    const records: ReadRecord[] = []
    for await (const record of reader.records({ bucket, entry }, { anyState: true })) {
      const read = await readRecord(record)
      const again = await reader.get({ bucket, entry }, record.timestampUs)
      if (again === undefined || JSON.stringify(await readRecord(again)) !== JSON.stringify(read)) {
        throw new Error(
          `${bucket}/${entry}: the record at ${record.timestampUs} differs when read by its time`,
        )
      }
      records.push(read)
    }
    contents[`${bucket}/${entry}`] = records
  }
  return contents
}

async function readRecord(record: StoredRecord): Promise<ReadRecord> {
  const ts = String(record.timestampUs)
  if (record.state !== 'finished') return { ts, state: 'ERRORED' }
  const labels: Record<string, string> = {}
  for (let index = 0; index < record.labels.length; index += 2) {
    labels[record.labels[index] as string] = record.labels[index + 1] as string
  }
  return {
    ts,
    labels,
    content_type: record.contentType,
    size: record.contentBytes,
    sha256: createHash('sha256')
      .update(await record.read())
      .digest('hex'),
  }
}

/** What a perfect recovery of a golden case shows. */
export function recoverableContents(
  recoverable: Readonly<Record<string, readonly GoldenRecord[]>>,
): Contents {
  const contents: Contents = {}
  for (const [name, records] of Object.entries(recoverable)) {
    contents[name] = records.map((record) =>
      record.state === undefined
        ? {
            ts: String(record.ts),
            labels: record.labels,
            content_type: record.content_type,
            size: record.size,
            sha256: record.sha256,
          }
        : { ts: String(record.ts), state: 'ERRORED' },
    )
  }
  return contents
}
