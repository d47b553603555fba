import { BinaryReader, BinaryWriter } from '../codec/binary.ts'

/** Bytes of a checksum that a caller has seen: another one means that somebody else changed the block since. */
interface OfBlock {
  readonly bucket: string
  readonly entry: string
  readonly blockId: number
}

/**
 * What a frame does to a cold block as a whole (FORMAT.md, items 3 to 6). Each is redone from the log until a checkpoint
 * covers it.
 *
 * `checksum`: records get the CRC-32 of their content; the rest of the descriptor stays.
 * `strip`: the records of these times leave the descriptor; their bytes stay as holes.
 * `drop`: the block goes, files and all.
 * `adopt`: a block that was written aside, whole and synced, under `stagedName`, gets its place.
 *
 * `baseCrc64` is that of the descriptor which the change was decided on. Where ReductStore has saved the block before
 * the change reached the disk, nobody was told of the change, and it is given up.
 */
export type BlockChange =
  | (OfBlock & {
      readonly kind: 'strip'
      readonly baseCrc64: bigint
      readonly timestampsUs: readonly bigint[]
    })
  | (OfBlock & { readonly kind: 'drop'; readonly baseCrc64: bigint })
  | (OfBlock & { readonly kind: 'adopt'; readonly baseCrc64: bigint; readonly stagedName: string })
  | (OfBlock & {
      readonly kind: 'checksum'
      readonly baseCrc64: bigint
      /** `place u32, CRC-32 u32` of each: the place among the records of the descriptor, in the order of time. */
      readonly checksums: Uint8Array
    })

/** On disk, beside the kinds of frame.ts: append new ones, never renumber. */
const changeItemKind = { strip: 3, drop: 4, adopt: 5, checksum: 6 } as const

/** `kind u8, bucket text, entry text, block id u64, descriptor crc64 u64`, then times (run of u64), staged name (text) or checksums (run). */
export function encodeBlockChange(change: BlockChange): Uint8Array {
  const writer = new BinaryWriter()
  writer.u8(changeItemKind[change.kind])
  writer.text(change.bucket)
  writer.text(change.entry)
  writer.u64(change.blockId)
  writer.u64big(change.baseCrc64)
  if (change.kind === 'strip') {
    const times = new BinaryWriter(change.timestampsUs.length * 8)
    for (const timestampUs of change.timestampsUs) times.u64big(timestampUs)
    writer.run(times.written())
  } else if (change.kind === 'adopt') {
    writer.text(change.stagedName)
  } else if (change.kind === 'checksum') {
    writer.run(change.checksums)
  }
  return writer.written()
}

/** Reads what follows the kind byte; `undefined` for a kind that is none of these. @throws {StorageError} `ERR_CORRUPT` */
export function readBlockChange(kind: number, reader: BinaryReader): BlockChange | undefined {
  if (kind < changeItemKind.strip || kind > changeItemKind.checksum) return undefined
  const of = {
    bucket: reader.text(),
    entry: reader.text(),
    blockId: reader.u64(),
    baseCrc64: reader.u64big(),
  }
  if (kind === changeItemKind.drop) return { ...of, kind: 'drop' }
  if (kind === changeItemKind.adopt) return { ...of, kind: 'adopt', stagedName: reader.text() }
  const run = reader.run()
  // A copy: the frame's bytes are not to be kept for it.
  if (kind === changeItemKind.checksum) return { ...of, kind: 'checksum', checksums: run.slice() }
  const times = new BinaryReader(run, 'frame')
  const timestampsUs = Array.from({ length: Math.floor(run.byteLength / 8) }, () => times.u64big())
  return { ...of, kind: 'strip', timestampsUs }
}
