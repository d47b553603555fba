import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { StorageError } from '../../../src/storage/errors.ts'
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

/** Records of one entry that are also read by their time, spread evenly. */
const POINT_READS = 12

/**
 * Everything a reader shows, read to the last byte: whole entries, and some records by their time.
 * @param onDamaged told of what cannot be read, which is then left out; without it that is an error
 */
export async function contentsOf(
  reader: RecordReader,
  onDamaged?: (error: StorageError) => void,
): Promise<Contents> {
  const contents: Contents = {}
  for (const { bucket, entry } of await reader.entries({ attachments: true })) {
    const name = { bucket, entry }
    const records: ReadRecord[] = []
    const options = { anyState: true, ...(onDamaged === undefined ? {} : { onDamaged }) }
    for await (const record of reader.records(name, options)) {
      try {
        records.push(await readRecord(record))
      } catch (error) {
        if (onDamaged === undefined || !(error instanceof StorageError)) throw error
        onDamaged(error)
      }
    }
    contents[`${bucket}/${entry}`] = records
    const step = Math.ceil(records.length / POINT_READS)
    for (let index = 0; index < records.length; index += step) {
      const known = records[index] as ReadRecord
      const point = await reader.get(name, BigInt(known.ts))
      if (point === undefined || !isDeepStrictEqual(await readRecord(point), known))
        throw new Error(`${bucket}/${entry}: the record at ${known.ts} differs when read by its time`)
    }
  }
  return contents
}

export async function readRecord(record: StoredRecord): Promise<ReadRecord> {
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
