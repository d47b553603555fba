import { clearTemporary } from '../../fs/atomic-write.ts'
import type { FileRef, FileSystem, WriteOp } from '../../fs/file-system.ts'
import type { Replacement } from '../../fs/replace-files.ts'
import { writeAll } from '../../fs/write-all.ts'
import { checkDescriptor } from '../block/block-content.ts'
import { decodeIndex, encodeIndex, type IndexEntry } from '../codec/index-codec.ts'
import { indexEntryOf, lostIndexEntry } from '../codec/index-entry.ts'
import { decodeRecord, recordStateNumber, rewriteRecord } from '../codec/record-codec.ts'
import type { EntryPaths } from '../paths.ts'
import { lookAtEntry, mayHaveNamed, namelessData } from '../query/entry-files.ts'
import { rebuildIndex } from '../query/list-blocks.ts'
import { finishWalEntry, scanWal, walStopMarker } from '../wal/wal-codec.ts'
import type { LoggedItem } from './facts.ts'
import type { OpenLogs } from './open-logs.ts'
import { isChange, type OpenPlan, type PlannedBlock } from './plan.ts'
import { readEntries } from './read-entries.ts'
import { readMessage } from '../read-message.ts'

/** Content that is written by one call. */
const WRITE_BYTES = 4 * 1024 * 1024

/** Content as the log has it; what is direct is there already. */
export async function writeContents(
  fs: FileSystem,
  logs: OpenLogs,
  data: FileRef,
  items: readonly LoggedItem[],
): Promise<void> {
  if (items.length === 0) return
  // An empty write makes the file where all content is empty.
  let ops: WriteOp[] = [{ file: data, atBytes: 0, bytes: new Uint8Array(0) }]
  let opsBytes = 0
  for (const item of items.filter(({ direct }) => !direct)) {
    const bytes = await logs.read(item.logPath, item.contentInLogBytes, item.contentBytes)
    ops.push({ file: data, atBytes: item.blkAtBytes, bytes })
    opsBytes += bytes.byteLength
    if (opsBytes < WRITE_BYTES) continue
    await writeAll(fs, 'projection', ops)
    ops = []
    opsBytes = 0
  }
  await writeAll(fs, 'projection', ops)
}

export function walBytes(plan: OpenPlan): number {
  return plan.entries.reduce((sum, item) => sum + item.entriesBytes, plan.keepWalBytes + 1)
}

/** What the checkpoint made durable, and the entries of the frames (R7). */
export async function newWal(
  fs: FileSystem,
  logs: OpenLogs,
  file: FileRef,
  plan: OpenPlan,
): Promise<Replacement> {
  await clearTemporary(fs, file.path)
  const bytes = new Uint8Array(walBytes(plan))
  if (plan.keepWalBytes > 0) bytes.set(await fs.read(file.path, 0, plan.keepWalBytes))
  let atBytes = plan.keepWalBytes
  for (const item of plan.entries) {
    const entries = await readEntries(logs, item)
    bytes.set(plan.failedUs === undefined ? entries : failedEntries(entries, plan.failedUs), atBytes)
    atBytes += item.entriesBytes
  }
  bytes[atBytes] = walStopMarker
  return { file, bytes }
}

/**
 * WAL entries of ours with the records of these times as failed ones. Nothing else changes, their CRC-32s included: the WAL
 * stays as long as the log says, and is known for ours.
 */
function failedEntries(entries: Uint8Array, timesUs: ReadonlySet<bigint>): Uint8Array {
  const bytes = entries.slice()
  for (const { type, atBytes, payloadFromBytes, payloadToBytes } of scanWal(entries).entries) {
    const record = decodeRecord(entries, payloadFromBytes, payloadToBytes)
    if (record.state !== recordStateNumber.finished || !timesUs.has(record.timestampUs)) continue
    const payload = entries.subarray(payloadFromBytes, payloadToBytes)
    bytes.set(rewriteRecord(payload, { ...record, state: recordStateNumber.errored }), payloadFromBytes)
    finishWalEntry(bytes, atBytes, type, payloadToBytes)
  }
  return bytes
}

/** `blocks.idx` written afresh (R8): what it said, corrected for every block of `blocks`. */
export async function newIndex(
  fs: FileSystem,
  paths: EntryPaths,
  blocks: readonly PlannedBlock[],
): Promise<Replacement> {
  await clearTemporary(fs, paths.index)
  const read = await readMessage(fs, paths.index)
  const decoded = read === undefined ? undefined : decodeIndex(read)
  const entries = decoded?.verdict === 'valid' ? decoded.entries : await rebuildOurIndex(fs, paths)
  for (const { facts, plan } of blocks) {
    const id = BigInt(facts.blockId)
    if (plan.kind === 'open') {
      const listed = entries.get(id)
      entries.set(id, listed === undefined ? emptyEntry(id) : { ...listed, crc64: undefined })
    } else if (plan.kind === 'removed' || isChange(plan, 'drop')) {
      entries.delete(id)
    } else {
      const path = paths.descriptor(facts.blockId)
      entries.set(id, indexEntryOf(id, checkDescriptor(await readMessage(fs, path), path, undefined)))
    }
  }
  const sorted = [...entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { file: { path: paths.index, kind: 'index' }, bytes: encodeIndex(sorted).bytes }
}

/** With the ids of blocks that have nothing but a data file: those of blocks that are begun have a place in `blocks`. */
async function rebuildOurIndex(fs: FileSystem, paths: EntryPaths): Promise<Map<bigint, IndexEntry>> {
  const { entries } = await rebuildIndex(fs, paths)
  const files = await lookAtEntry(fs, paths)
  if (mayHaveNamed(files))
    for (const id of namelessData(files)) entries.set(id, lostIndexEntry(id, new Uint8Array(0)))
  return entries
}

function emptyEntry(id: bigint): IndexEntry {
  return { id, sizeBytes: 0n, recordCount: 0, metadataBytes: 0n, latestUs: id, hasChecksums: true }
}
