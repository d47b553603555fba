import { crc64 } from '../../base/crc64.ts'
import type { FileRef, WriteOp } from '../../fs/file-system.ts'
import { writeAll } from '../../fs/write-all.ts'
import { encodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import { moveRecord, recordStateNumber } from '../codec/record-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import type { EntryChange } from '../commitlog/group.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import { stagedFiles } from '../paths.ts'
import { DataWindow } from '../query/data-window.ts'
import type { MutationContext } from './mutations.ts'

/** Content is copied in pieces of this size. */
const COPY_BYTES = 4 * 1024 * 1024

/** A part of a block under an id of its own. */
export interface Part {
  readonly id: bigint
  readonly fromIndex: number
  readonly toIndex: number
}

/** Blocks written aside, what adopts them, and the files to be synced before a frame may say so. */
export interface StagedParts {
  readonly changes: readonly EntryChange[]
  readonly files: readonly FileRef[]
}

interface StagedPart {
  readonly part: Part
  readonly stagedName: string
  readonly data: FileRef
  readonly meta: FileRef
}

/** Content of one record: where it lies, and its place in the data file of its part. */
interface Copy {
  readonly fromBytes: number
  readonly toBytes: number
  readonly file: FileRef
  readonly atBytes: number
}

/**
 * Writes each part as a block of its own into the directory of staged blocks, contiguous in the order of time, whole; neither
 * files nor names are synced. The content is read once, in the order of the old file: where records came late, that is not
 * the order of time.
 * @throws {StorageError} `ERR_CORRUPT` when the content cannot be read; nothing is left staged then
 */
export async function stageParts(
  context: MutationContext,
  entry: Entry,
  oldId: bigint,
  descriptor: Descriptor,
  parts: readonly Part[],
): Promise<StagedParts> {
  const { fs, paths, lastFrame, newStagedName } = context
  const staged = parts.map((part): StagedPart => {
    const stagedName = newStagedName()
    const files = stagedFiles(paths, stagedName)
    return {
      part,
      stagedName,
      data: { path: files.data, kind: 'data' },
      meta: { path: files.descriptor, kind: 'descriptor' },
    }
  })
  try {
    const copies: Copy[] = []
    const placed = staged.map(({ part, data }) => place(descriptor, part, data, copies))
    // An empty write makes the file where all content is empty.
    const empty = staged.map(({ data }) => ({ file: data, atBytes: 0, bytes: new Uint8Array(0) }))
    await writeAll(fs, 'projection', empty)
    await copyContents(context, entry, oldId, copies)
    const descriptors: WriteOp[] = []
    const changes: EntryChange[] = []
    const { otherFields } = descriptor
    for (const [at, { part, stagedName, meta }] of staged.entries()) {
      const { id } = part
      const { records, sizeBytes } = placed[at] as PlacedRecords
      const bytes = encodeDescriptor({ id, sizeBytes, lastFrame: lastFrame(), otherFields }, records)
      descriptors.push({ file: meta, atBytes: 0, bytes })
      const of = { ...entry.name, blockId: Number(id), baseCrc64: crc64(bytes), stagedName }
      changes.push({ entry, change: { ...of, kind: 'adopt' } })
    }
    await writeAll(fs, 'projection', descriptors)
    return { changes, files: staged.flatMap(({ data, meta }) => [data, meta]) }
  } catch (error) {
    for (const { stagedName } of staged) await discardStaged(context, stagedName)
    throw error
  }
}

export async function discardStaged({ fs, paths }: MutationContext, stagedName: string): Promise<void> {
  const { data, descriptor } = stagedFiles(paths, stagedName)
  await fs.unlink(data)
  await fs.unlink(descriptor)
}

/** Records of a part as they stand in its descriptor. */
interface PlacedRecords {
  readonly records: readonly Uint8Array[]
  readonly sizeBytes: number
}

/** @param copies what is to be copied for the part is added to it */
function place(
  { bytes, recordFromBytes, recordToBytes }: Descriptor,
  { fromIndex, toIndex }: Part,
  file: FileRef,
  copies: Copy[],
): PlacedRecords {
  const records: Uint8Array[] = []
  let sizeBytes = 0
  for (let index = fromIndex; index < toIndex; index++) {
    const record = bytes.subarray(recordFromBytes[index], recordToBytes[index])
    const { beginBytes, endBytes, state } = scanRecord(record, 0, record.byteLength)
    // A failed upload keeps its length; its bytes mean nothing, and need not be there.
    if (state === recordStateNumber.finished && endBytes > beginBytes)
      copies.push({ fromBytes: beginBytes, toBytes: endBytes, file, atBytes: sizeBytes })
    const endsAtBytes = sizeBytes + endBytes - beginBytes
    records.push(moveRecord(record, sizeBytes, endsAtBytes))
    sizeBytes = endsAtBytes
  }
  return { records, sizeBytes }
}

async function copyContents(
  { fs }: MutationContext,
  { name, paths }: Entry,
  oldId: bigint,
  copies: Copy[],
): Promise<void> {
  const path = paths.data(oldId)
  const source = new DataWindow(fs, path)
  let ops: WriteOp[] = []
  let opsBytes = 0
  const flush = async (): Promise<void> => {
    // Neighbours are written by one call.
    ops.sort((one, other) =>
      one.file === other.file ? one.atBytes - other.atBytes : one.file.path < other.file.path ? -1 : 1,
    )
    await writeAll(fs, 'projection', ops)
    ops = []
    opsBytes = 0
  }
  copies.sort((one, other) => one.fromBytes - other.fromBytes)
  for (const { fromBytes, toBytes, file, atBytes } of copies) {
    for (let from = fromBytes; from < toBytes;) {
      const content = await source.read(from, Math.min(COPY_BYTES, toBytes - from))
      if (content.byteLength === 0)
        throw new StorageError('ERR_CORRUPT', `${path} is too short`, { ...name, path, atBytes: from })
      ops.push({ file, atBytes: atBytes + from - fromBytes, bytes: content })
      opsBytes += content.byteLength
      if (opsBytes >= COPY_BYTES) await flush()
      from += content.byteLength
    }
  }
  await flush()
}
