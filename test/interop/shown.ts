import { crc32 } from 'node:zlib'
import type { EntryName, LabelList, RecordReader } from '../../src/storage/index.ts'

/** A whole record as a reader showed it. */
export interface ShownRecord {
  readonly bucket: string
  readonly entry: string
  readonly timestampUs: bigint
  readonly labels: Readonly<Record<string, string>>
  readonly contentType: string
  readonly contentBytes: number
  /** CRC-32 of the content that was read. */
  readonly contentChecksum: number
}

/** Everything of a directory, and what went wrong while it was read. */
export interface Shown {
  readonly records: readonly ShownRecord[]
  readonly problems: readonly string[]
}

export function shownRecord(
  { bucket, entry }: EntryName,
  timestampUs: bigint,
  labels: Readonly<Record<string, string>>,
  contentType: string,
  content: Uint8Array,
): ShownRecord {
  return {
    bucket,
    entry,
    timestampUs,
    labels,
    contentType,
    contentBytes: content.byteLength,
    contentChecksum: crc32(content),
  }
}

export function labelsOf(list: LabelList): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let index = 0; index < list.length; index += 2)
    labels[list[index] as string] = list[index + 1] as string
  return labels
}

/** The first thing in which two records differ, for people; `undefined` when they are equal. */
export function differenceOf(one: ShownRecord, other: ShownRecord): string | undefined {
  if (one.timestampUs !== other.timestampUs) return `time ${one.timestampUs}, not ${other.timestampUs}`
  if (one.bucket !== other.bucket || one.entry !== other.entry)
    return `in ${one.bucket}/${one.entry}, not in ${other.bucket}/${other.entry}`
  if (one.contentType !== other.contentType) return `type '${one.contentType}', not '${other.contentType}'`
  const [labels, others] = [one.labels, other.labels].map((list) =>
    JSON.stringify(Object.entries(list).sort()),
  )
  if (labels !== others) return `labels ${labels}, not ${others}`
  if (one.contentBytes !== other.contentBytes) return `${one.contentBytes} bytes, not ${other.contentBytes}`
  return one.contentChecksum === other.contentChecksum ? undefined : 'another content'
}

export function nameOf({ bucket, entry, timestampUs }: ShownRecord): string {
  return `${bucket}/${entry}@${timestampUs}`
}

/** Reads all that Sediment shows, by query and every `pointReadEvery`th record once more by its time. */
export async function readThroughSediment(reader: RecordReader, pointReadEvery = 1): Promise<Shown> {
  const records: ShownRecord[] = []
  const problems: string[] = []
  for (const { bucket, entry } of await reader.entries()) {
    const name = { bucket, entry }
    for await (const record of reader.records(name)) {
      const { timestampUs, labels, contentType } = record
      try {
        const shown = shownRecord(name, timestampUs, labelsOf(labels), contentType, await record.read())
        records.push(shown)
        if (records.length % pointReadEvery !== 0) continue
        const point = await reader.get(name, timestampUs)
        if (point === undefined) problems.push(`${nameOf(shown)}: not found by its time`)
        else {
          const again = shownRecord(
            name,
            point.timestampUs,
            labelsOf(point.labels),
            point.contentType,
            await point.read(),
          )
          const difference = differenceOf(again, shown)
          if (difference !== undefined) problems.push(`${nameOf(shown)}: by its time ${difference}`)
        }
      } catch (error) {
        problems.push(`${bucket}/${entry}@${timestampUs}: ${String(error)}`)
      }
    }
  }
  return { records, problems }
}
