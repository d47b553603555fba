import type { BlockFacts, LoggedItem } from './facts.ts'

/** What is to become of one block. Content of every frame is written again in all cases. */
export type BlockPlan =
  /** Stays open: its WAL becomes `keepWalBytes` of what is there plus `entries`. */
  | {
      readonly kind: 'open'
      readonly keepWalBytes: number
      readonly entries: readonly LoggedItem[]
      readonly rewrite: boolean
    }
  /** Its descriptor holds everything; listed with the descriptor's CRC. */
  | { readonly kind: 'folded' }
  /** ReductStore saved it since: what is missing is inserted at its present end. */
  | { readonly kind: 'merge'; readonly entries: readonly LoggedItem[] }
  /** A person must look. */
  | { readonly kind: 'damaged'; readonly why: string }

/** Decides on one block; touches no disk, so that every crash picture is one row of a table test. */
export function planBlock(facts: BlockFacts): BlockPlan {
  const { items, checkpointed, wal, descriptor } = facts
  const restartAt = items.findLastIndex((item) => item.walAtBytes === 0)
  const restarts = restartAt !== -1
  const entries = restarts ? items.slice(restartAt) : items
  if (!restarts && checkpointed === undefined) {
    return { kind: 'damaged', why: 'a frame continues a block that neither checkpoint nor log begins' }
  }
  const keepWalBytes = restarts ? 0 : (checkpointed?.walBytes ?? 0)
  let endBytes = keepWalBytes
  for (const item of entries) {
    if (item.walAtBytes !== endBytes) return { kind: 'damaged', why: 'frames of the block do not join' }
    endBytes += item.entries.byteLength
  }
  if (descriptor.state === 'undecodable') return { kind: 'damaged', why: 'descriptor cannot be decoded' }
  const isComplete =
    descriptor.state === 'read' &&
    descriptor.holdsFrames &&
    (restarts || descriptor.recordCount >= (checkpointed?.recordCount ?? 0))

  if (restarts) {
    const baseCrc64 = (entries[0] as LoggedItem).baseCrc64
    if (descriptor.state === 'missing' && baseCrc64 !== undefined) {
      return { kind: 'damaged', why: 'descriptor is missing' }
    }
    if (wal === undefined && isComplete) return { kind: 'folded' }
    const isForeign =
      descriptor.state === 'read' && descriptor.lastFrame === undefined && descriptor.crc64 !== baseCrc64
    if (isForeign) return { kind: 'merge', entries }
    return { kind: 'open', keepWalBytes: 0, entries, rewrite: true }
  }

  if (wal === undefined) {
    if (isComplete) return { kind: 'folded' }
    if (descriptor.state === 'read') return { kind: 'merge', entries }
    return { kind: 'damaged', why: 'WAL and descriptor are missing' }
  }
  if (wal.validEndBytes < keepWalBytes) {
    return isComplete
      ? { kind: 'folded' }
      : {
          kind: 'damaged',
          why: `WAL is readable for ${wal.validEndBytes} bytes, the checkpoint made ${keepWalBytes} durable`,
        }
  }
  if (wal.validEndBytes > endBytes) {
    return {
      kind: 'damaged',
      why: 'WAL holds entries that the log does not know: the end of the log was lost',
    }
  }
  return {
    kind: 'open',
    keepWalBytes,
    entries,
    rewrite: entries.length > 0 || !wal.endsWithMarker || wal.validEndBytes !== keepWalBytes,
  }
}
