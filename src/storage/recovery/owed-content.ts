import { crc32 } from '../../base/crc32.ts'
import { atomicWrite } from '../../fs/atomic-write.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import type { DecodedRecord, RecordFields } from '../codec/record-codec.ts'
import { StorageError } from '../errors.ts'
import type { StorePaths } from '../paths.ts'
import type { EntryName, LabelList, RecordReader } from '../record.ts'

/**
 * A record of a durable frame whose content ReductStore has cut off between a kill and a start. It stands in its block
 * as one that has failed, with all of its length, until somebody writes its content again.
 */
export interface OwedRecord {
  readonly bucket: string
  readonly entry: string
  readonly timestampUs: number
  readonly labels: LabelList
  readonly contentType: string
  readonly contentBytes: number
  /** CRC-32 of the content; `undefined` where the log has none. */
  readonly contentChecksum?: number
}

/**
 * `.sediment/owed`: JSON with a checksum, replaced whole, durable before any record of it is written as failed. No file:
 * nothing is owed.
 * @throws {StorageError} `ERR_CORRUPT`
 */
export async function readOwed(fs: FileSystem, { owed: path }: StorePaths): Promise<OwedRecord[]> {
  const bytes = await fs.readFile(path)
  if (bytes === undefined) return []
  try {
    const file = JSON.parse(Buffer.from(bytes).toString()) as { records: OwedRecord[]; crc32: number }
    if (file.crc32 === checksumOf(file.records)) return file.records
  } catch {
    // As one whose checksum does not fit.
  }
  throw new StorageError(
    'ERR_CORRUPT',
    `${path} does not match its checksum: move it away; the records that it names stay failed`,
    { path },
  )
}

export async function writeOwed(
  fs: FileSystem,
  { owed: path }: StorePaths,
  records: readonly OwedRecord[],
): Promise<void> {
  if (records.length === 0) return fs.unlink(path)
  await atomicWrite(
    fs,
    path,
    'log',
    Buffer.from(`${JSON.stringify({ records, crc32: checksumOf(records) })}\n`),
  )
}

/** What was known before and what was found now; of one place the latter counts. */
export function joinOwed(known: readonly OwedRecord[], found: readonly OwedRecord[]): OwedRecord[] {
  return [...new Map([...known, ...found].map((record) => [owedPlace(record), record])).values()]
}

/** Those that nobody has written again, removed or replaced. */
export async function stillOwed(reader: RecordReader, owed: readonly OwedRecord[]): Promise<OwedRecord[]> {
  const still: OwedRecord[] = []
  for (const record of owed) {
    if ((await labelsAsLeft(reader, record)) !== undefined) still.push(record)
  }
  return still
}

/** The labels that it has by now; `undefined` when it is not owed any more. */
export async function labelsAsLeft(reader: RecordReader, record: OwedRecord): Promise<LabelList | undefined> {
  try {
    const stored = await reader.get(record, BigInt(record.timestampUs))
    const isOwed = stored?.state === 'errored' && stored.contentBytes === record.contentBytes
    return isOwed ? stored.labels : undefined
  } catch (error) {
    // Nothing is paid for by a block that cannot be read.
    if (error instanceof StorageError && error.code === 'ERR_CORRUPT') return record.labels
    throw error
  }
}

export function owedPlace({ bucket, entry, timestampUs }: OwedRecord): string {
  return `${bucket}/${entry}/${timestampUs}`
}

export function owedRecord({ bucket, entry }: EntryName, record: RecordFields | DecodedRecord): OwedRecord {
  const { timestampUs, labels, contentType, beginBytes, endBytes, contentCrc32 } = record
  return {
    bucket,
    entry,
    timestampUs: Number(timestampUs),
    labels,
    contentType,
    contentBytes: endBytes - beginBytes,
    ...(contentCrc32 === undefined ? {} : { contentChecksum: contentCrc32 }),
  }
}

function checksumOf(records: readonly OwedRecord[]): number {
  return crc32(JSON.stringify(records))
}
