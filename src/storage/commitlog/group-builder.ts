import { copyInto } from '../../base/copy-into.ts'
import { crc32 } from '../../base/crc32.ts'
import { PAGE_BYTES, pageGap } from '../../fs/page.ts'
import { encodeRecord, recordStateNumber, stateFieldBytes } from '../codec/record-codec.ts'
import { finishWalEntry, walEntryType, walHeadBytes, walTailBytes } from '../wal/wal-codec.ts'
import type { RecordWrite } from '../record.ts'
import {
  FRAME_CHAIN_BYTES,
  FRAME_HEADER_BYTES,
  alignFrame,
  beginRecordsItem,
  deltaItemBytes,
  finishFrame,
  finishRecordsItem,
  frameBytes,
  itemOverheadBytes,
  writeDeltaItem,
} from './frame.ts'
import type { FrameBuffers } from './frame-buffers.ts'
import { encodeBlockChange } from './block-change.ts'
import type { BlockGroup, BuiltBlock, BuiltGroup, Edits, PendingSubmission } from './group.ts'

export interface FrameIdentity {
  readonly sequence: number
  readonly generation: number
  readonly previousChain: bigint
}

export interface BuildLimits {
  readonly directBytesMin: number
  readonly directBlocksMax: number
}

/** Label that keeps the wanted time of a record whose slot left its millisecond. */
const SPILL_LABEL = 'ts_original'

/**
 * Lays the reserved records of one group out as a frame: per block the very WAL entries that will be projected, then
 * the content, once, contiguous per block, so that log, data file and WAL are each written from slices of one
 * buffer. Direct content lies behind the frame, or stays where it is when a frame buffer cannot take it. Reserves WAL positions. Everything it needs was decided before: it cannot fail half-way.
 */
export async function buildGroup(
  groups: readonly BlockGroup[],
  submissions: readonly PendingSubmission[],
  identity: FrameIdentity,
  limits: BuildLimits,
  buffers: FrameBuffers,
  nowMs: number,
  edits: Edits = {},
): Promise<BuiltGroup> {
  const directGroups = chooseDirect(groups, limits)
  const changes = edits.changes ?? []
  const encodedChanges = changes.map(({ change }) => encodeBlockChange(change))
  const frameBytesMax = boundBytes(groups, submissions, directGroups) + editsBytes(edits, encodedChanges)
  const directBytes = [...directGroups].reduce((sum, group) => sum + group.contentBytes, 0)
  const behindBytesMax = directBytes + directGroups.size * PAGE_BYTES
  const isScattered = frameBytesMax + behindBytesMax > buffers.standardBytes
  const buffer = await buffers.take(isScattered ? frameBytesMax : frameBytesMax + behindBytesMax)
  const target = Buffer.from(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.bytes.byteLength)

  let at = FRAME_HEADER_BYTES
  for (const { delta } of submissions) if (delta !== undefined) at = writeDeltaItem(target, at, delta)
  const entryRanges: { from: number; to: number; walAtBytes: number }[] = []
  for (const group of groups) {
    const { block } = group
    const walAtBytes = block.walReservedBytes
    const entriesAt = beginRecordsItem(target, at, {
      bucket: block.entry.name.bucket,
      entry: block.entry.name.entry,
      blockId: block.id,
      walAtBytes,
      blkAtBytes: group.blkAtBytes,
      direct: directGroups.has(group),
      baseCrc64: walAtBytes === 0 ? block.baseCrc64 : undefined,
      recordCount: group.writes.length,
      contentBytes: group.contentBytes,
    })
    const entriesEnd = encodeEntries(target, entriesAt, group)
    at = finishRecordsItem(target, entriesAt, entriesEnd)
    block.walReservedBytes += entriesEnd - entriesAt
    entryRanges.push({ from: entriesAt, to: at, walAtBytes })
  }
  const edited: BuiltBlock[] = []
  for (const edit of edits.entries ?? []) {
    const { block, direct } = edit
    const walAtBytes = block.walReservedBytes
    const blkAtBytes = direct?.blkAtBytes ?? block.blkReservedBytes
    const entriesAt = beginRecordsItem(target, at, {
      bucket: block.entry.name.bucket,
      entry: block.entry.name.entry,
      blockId: block.id,
      walAtBytes,
      blkAtBytes,
      direct: direct !== undefined,
      baseCrc64: walAtBytes === 0 ? block.baseCrc64 : undefined,
      recordCount: edit.recordCount,
      contentBytes: direct?.contentBytes ?? 0,
    })
    target.set(edit.entries, entriesAt)
    at = finishRecordsItem(target, entriesAt, entriesAt + edit.entries.byteLength)
    block.walReservedBytes += edit.entries.byteLength
    block.pendingGroups += 1
    block.reservations += 1
    block.touchedMs = nowMs
    edited.push({
      block,
      direct: direct !== undefined,
      walAtBytes,
      blkAtBytes,
      entries: buffer.bytes.subarray(entriesAt, at),
      content: buffer.bytes.subarray(0, 0),
      scattered: [],
    })
  }
  for (const encoded of encodedChanges) {
    target.set(encoded, at)
    at += encoded.byteLength
  }
  const metaBytes = at - FRAME_HEADER_BYTES

  const contentRanges = new Map<BlockGroup, Uint8Array>()
  const inlineAt = at + FRAME_CHAIN_BYTES
  at = inlineAt
  for (const group of groups) {
    if (directGroups.has(group)) continue
    contentRanges.set(group, buffer.bytes.subarray(at, at + group.contentBytes))
    at = copyContents(target, at, group.writes)
  }
  const inlineBytes = at - inlineAt
  const frameEnd = alignFrame(frameBytes(metaBytes, inlineBytes))
  target.fill(0, at, frameEnd)
  at = frameEnd
  for (const group of isScattered ? [] : directGroups) {
    at += pageGap(target.byteOffset + at, group.blkAtBytes)
    contentRanges.set(group, buffer.bytes.subarray(at, at + group.contentBytes))
    at = copyContents(target, at, group.writes)
  }

  const chain = finishFrame(target, {
    ...identity,
    metaBytes,
    contentBytes: inlineBytes,
    watermark: identity.sequence - 1,
  })
  const blocks = groups.map((group, index): BuiltBlock => {
    const range = entryRanges[index] as (typeof entryRanges)[number]
    return {
      block: group.block,
      direct: directGroups.has(group),
      walAtBytes: range.walAtBytes,
      blkAtBytes: group.blkAtBytes,
      entries: buffer.bytes.subarray(range.from, range.to),
      content: contentRanges.get(group) ?? buffer.bytes.subarray(0, 0),
      scattered: isScattered && directGroups.has(group) ? group.writes.map(({ content }) => content) : [],
    }
  })
  return {
    sequence: identity.sequence,
    chain,
    frame: buffer.bytes.subarray(0, frameEnd),
    blocks: [...blocks, ...edited],
    changes,
    submissions,
    recordCount: groups.reduce((sum, group) => sum + group.writes.length, 0),
    contentBytes: inlineBytes + directBytes,
    directBytes,
    builtAtMs: nowMs,
    release: buffer.release,
  }
}

/** The largest groups over the threshold, a few at most: each costs a sync of its own before the frame. */
function chooseDirect(groups: readonly BlockGroup[], limits: BuildLimits): ReadonlySet<BlockGroup> {
  const large = groups.filter((group) => group.contentBytes >= limits.directBytesMin)
  large.sort((a, b) => b.contentBytes - a.contentBytes)
  return new Set(large.slice(0, limits.directBlocksMax))
}

/** Of the frame: without direct content. */
function boundBytes(
  groups: readonly BlockGroup[],
  submissions: readonly PendingSubmission[],
  directGroups: ReadonlySet<BlockGroup>,
): number {
  let bytes = FRAME_HEADER_BYTES + FRAME_CHAIN_BYTES + 512
  for (const { delta } of submissions) if (delta !== undefined) bytes += deltaItemBytes(delta)
  for (const group of groups) {
    const { bucket, entry } = group.block.entry.name
    bytes += itemOverheadBytes(bucket, entry)
    if (!directGroups.has(group)) bytes += group.contentBytes
    for (const write of group.writes) bytes += entryBytesMax(write)
  }
  return bytes
}

function editsBytes({ entries = [] }: Edits, encodedChanges: readonly Uint8Array[]): number {
  let bytes = encodedChanges.reduce((sum, { byteLength }) => sum + byteLength, 0)
  for (const { block, entries: run } of entries)
    bytes += itemOverheadBytes(block.entry.name.bucket, block.entry.name.entry) + run.byteLength
  return bytes
}

/** Upper bound of an encoded entry; cheaper than its exact size, which needs the slot. */
function entryBytesMax({ labels, contentType }: RecordWrite): number {
  let characters = contentType.length
  for (const text of labels) characters += text.length
  return ENTRY_FIXED_BYTES_MAX + labels.length * LABEL_FIXED_BYTES_MAX + characters * UTF8_BYTES_MAX
}

/** Head, tail, time, range, state, CRC-32 and a spill label, with all their tags. */
const ENTRY_FIXED_BYTES_MAX = walHeadBytes + walTailBytes + 112
const LABEL_FIXED_BYTES_MAX = 12
const UTF8_BYTES_MAX = 3

function encodeEntries(target: Buffer, atBytes: number, group: BlockGroup): number {
  const { block, writes, slotsUs } = group
  let at = atBytes
  let beginBytes = group.blkAtBytes
  for (let index = 0; index < writes.length; index++) {
    const write = writes[index] as RecordWrite
    const slotUs = slotsUs[index] as number
    const endBytes = beginBytes + write.content.byteLength
    const payloadAt = at + walHeadBytes
    const payloadEnd = encodeRecord(target, payloadAt, {
      timestampUs: slotUs,
      beginBytes,
      endBytes,
      state: recordStateNumber.finished,
      labels:
        slotUs - write.timestampUs >= 1000
          ? [...write.labels, SPILL_LABEL, String(write.timestampUs)]
          : write.labels,
      contentType: write.contentType,
      contentCrc32: crc32(write.content),
    })
    block.metadataBytes += payloadEnd - payloadAt - stateFieldBytes
    at = finishWalEntry(target, at, walEntryType.writeRecord, payloadEnd)
    beginBytes = endBytes
  }
  return at
}

function copyContents(target: Buffer, atBytes: number, writes: readonly RecordWrite[]): number {
  let at = atBytes
  for (const { content } of writes) {
    copyInto(target, at, content)
    at += content.byteLength
  }
  return at
}
