import { crc32 } from '../../base/crc32.ts'
import { crc64 } from '../../base/crc64.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { checkDescriptor } from '../block/block-content.ts'
import { encodeChecksums, type RecordChecksum } from '../block/change-descriptor.ts'
import { readDescriptor } from '../block/load-block.ts'
import { isExtensible } from '../block/placement.ts'
import type { Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { lacksContentCrc, scanRecord } from '../codec/scan-record.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import { DataWindow } from '../query/data-window.ts'
import type { MutationContext } from './mutations.ts'

/** A record is read in pieces of this size. */
const PIECE_BYTES = 1024 * 1024
/** The pace is asked once for so many bytes. */
const PACED_BYTES = 256 * 1024

export interface AddedChecksums {
  readonly records: number
  readonly contentBytes: number
  /** Finished records whose content cannot be read: they stay without. */
  readonly unreadable: number
}

const NONE: AddedChecksums = { records: 0, contentBytes: 0, unreadable: 0 }

/**
 * Adds the CRC-32s that the finished records of a cold block lack: ReductStore knows none, and drops ours whenever it
 * saves a block. Content is read while everything else goes on, at the caller's pace; one frame then says what was found.
 * What was damaged before is not noticed by that.
 *
 * Nothing is done for a block that ReductStore has compressed or given up, and for one that changes meanwhile: a fold
 * asks for it again.
 * @param pace waited for after each piece of so many bytes
 * @throws {StorageError} `ERR_CORRUPT` when the descriptor cannot be read, `ERR_CLOSED`, `ERR_POISONED`
 */
export async function addChecksums(
  context: MutationContext,
  entry: Entry,
  id: bigint,
  pace: (bytes: number) => Promise<void>,
): Promise<AddedChecksums> {
  const cold = coldBlock(context, entry, id)
  if (cold === undefined || cold.hasChecksums === true || !isExtensible(cold)) return NONE
  const release = entry.pins.pin(id)
  try {
    const path = entry.paths.descriptor(id)
    const bytes = await readDescriptor(context.fs, path)
    if (coldBlock(context, entry, id) !== cold) return NONE
    const descriptor = checkDescriptor(bytes, path, cold.crc64)
    const { checksums, unreadable, contentBytes } = await compute(
      context.fs,
      entry.paths.data(id),
      descriptor,
      pace,
    )
    if (checksums.length === 0) {
      const isWhole = unreadable === 0 && coldBlock(context, entry, id) === cold
      if (isWhole) entry.index.set({ ...cold, hasChecksums: true })
      return { ...NONE, unreadable }
    }
    const baseCrc64 = crc64(descriptor.bytes)
    const isDone = await context.exclusive(async (commit) => {
      if (coldBlock(context, entry, id)?.crc64 !== baseCrc64) return false
      const of = { ...entry.name, blockId: Number(id), baseCrc64 }
      await context.syncWalDirectory(entry)
      await commit({
        changes: [{ entry, change: { ...of, kind: 'checksum', checksums: encodeChecksums(checksums) } }],
      })
      return true
    })
    return isDone ? { records: checksums.length, contentBytes, unreadable } : NONE
  } finally {
    release()
  }
}

function coldBlock(context: MutationContext, entry: Entry, id: bigint): IndexEntry | undefined {
  return !context.isKnown(entry) || entry.open.has(Number(id)) ? undefined : entry.index.get(id)
}

async function compute(
  fs: FileSystem,
  dataPath: string,
  descriptor: Descriptor,
  pace: (bytes: number) => Promise<void>,
): Promise<{ checksums: RecordChecksum[]; contentBytes: number; unreadable: number }> {
  const { bytes, recordFromBytes, recordToBytes } = descriptor
  const unchecked: { readonly place: number; readonly beginBytes: number; readonly endBytes: number }[] = []
  for (let place = 0; place < recordFromBytes.length; place++) {
    const from = recordFromBytes[place] as number
    const to = recordToBytes[place] as number
    if (!lacksContentCrc(bytes, from, to)) continue
    const { beginBytes, endBytes } = scanRecord(bytes, from, to)
    unchecked.push({ place, beginBytes, endBytes })
  }
  // In the order of the file: where records came late, that is not the order of time.
  unchecked.sort((one, other) => one.beginBytes - other.beginBytes)
  const source = new DataWindow(fs, dataPath)
  const checksums: RecordChecksum[] = []
  let contentBytes = 0
  let unreadable = 0
  let unpacedBytes = 0
  for (const { place, beginBytes, endBytes } of unchecked) {
    let computed = 0
    let atBytes = beginBytes
    while (atBytes < endBytes) {
      const wantedBytes = Math.min(PIECE_BYTES, endBytes - atBytes)
      const piece = await source.read(atBytes, wantedBytes).catch(orNothing)
      if (piece.byteLength < wantedBytes) break
      computed = crc32(piece, computed)
      atBytes += wantedBytes
      unpacedBytes += wantedBytes
      if (unpacedBytes < PACED_BYTES) continue
      await pace(unpacedBytes)
      unpacedBytes = 0
    }
    if (atBytes < endBytes) unreadable += 1
    else checksums.push({ place, crc32: computed })
    contentBytes += atBytes - beginBytes
  }
  await pace(unpacedBytes)
  checksums.sort((one, other) => one.place - other.place)
  return { checksums, contentBytes, unreadable }
}

function orNothing(error: unknown): Uint8Array {
  if (error instanceof StorageError && error.code === 'ERR_CORRUPT') return new Uint8Array(0)
  throw error
}
