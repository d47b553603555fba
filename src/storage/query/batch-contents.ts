import { crc32 } from '../../base/crc32.ts'
import { joinCrc32 } from '../../base/crc32-join.ts'
import type { FileReader } from '../../fs/file-system.ts'
import { COMPRESSION_ZSTD } from '../block/compressed-block.ts'
import type { BatchMemory } from './batch-memory.ts'
import type { BlockRecord, ReadBlock } from './block-record.ts'
import type { BatchPart, PlannedBatch } from './plan-batch.ts'

/** Records whose contents are no further apart are read by one call. */
const GAP_BYTES_MAX = 4096
const READS_AT_ONCE = 4

/** A stretch of one data file, and the records with their content in it. */
interface Piece {
  readonly file: FileReader
  readonly records: BlockRecord[]
  readonly fromBytes: number
  toBytes: number
  /** Of its first byte, in the memory of the batch. */
  readonly atBytes: number
  readBytes: number
}

/**
 * Contents of one batch: few large reads, begun at once. What is not read, too short, or not as its CRC-32 says stays
 * without content: whoever asks for that record alone gets the reason.
 */
export class BatchContents {
  readonly records: readonly BlockRecord[]
  readonly #memories: BatchMemory
  readonly #memory: Uint8Array
  readonly #pieces: Piece[] = []
  readonly #reading: Promise<unknown>

  constructor(batch: PlannedBatch, memories: BatchMemory, fileOf: (block: ReadBlock) => FileReader) {
    this.records = batch.records
    this.#memories = memories
    let bytes = 0
    for (const part of batch.parts) {
      if (part.from.block.compression === COMPRESSION_ZSTD) continue
      bytes = this.#addPieces(part, bytes, fileOf(part.from))
    }
    this.#memory = memories.take(bytes)
    this.#reading = Promise.all([this.#readPieces(), ...batch.parts.map(readCompressed)])
  }

  /** With their contents. */
  async read(): Promise<readonly BlockRecord[]> {
    await this.#reading
    for (const piece of this.#pieces) this.#giveContents(piece)
    return this.records
  }

  /** Takes the contents back. */
  async release(): Promise<void> {
    for (const record of this.records) record.content = undefined
    await this.#reading
    this.#memories.giveBack(this.#memory)
  }

  /** @returns bytes of memory for all pieces so far */
  #addPieces({ records }: BatchPart, usedBytes: number, file: FileReader): number {
    let atBytes = usedBytes
    let piece: Piece | undefined
    let gapsBytes = 0
    for (const record of byPlace(records)) {
      const { beginBytes, endBytes, contentBytes } = record
      if (record.state !== 'finished' || contentBytes > this.#memories.recordBytesMax) continue
      const gapBytes = piece === undefined ? Infinity : Math.max(0, beginBytes - piece.toBytes)
      if (
        piece === undefined ||
        gapBytes > GAP_BYTES_MAX ||
        gapsBytes + gapBytes > this.#memories.batchBytes
      ) {
        piece = { file, records: [], fromBytes: beginBytes, toBytes: beginBytes, atBytes, readBytes: 0 }
        this.#pieces.push(piece)
      } else gapsBytes += gapBytes
      piece.records.push(record)
      if (endBytes > piece.toBytes) {
        atBytes += endBytes - piece.toBytes
        piece.toBytes = endBytes
      }
    }
    return atBytes
  }

  async #readPieces(): Promise<void> {
    const queue = [...this.#pieces].reverse()
    const work = async (): Promise<void> => {
      for (let piece = queue.pop(); piece !== undefined; piece = queue.pop()) {
        const { file, fromBytes, toBytes, atBytes } = piece
        const memory = this.#memory.subarray(atBytes, atBytes + toBytes - fromBytes)
        piece.readBytes = await file.read(fromBytes, memory).catch(() => 0)
      }
    }
    await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, queue.length) }, work))
  }

  /** Records side by side are checked together: one call for many small ones. */
  #giveContents({ records, fromBytes, readBytes, atBytes }: Piece): void {
    const { buffer, byteOffset } = this.#memory
    const startBytes = byteOffset + atBytes - fromBytes
    const view = (beginBytes: number, endBytes: number): Uint8Array =>
      new Uint8Array(buffer, startBytes + beginBytes, endBytes - beginBytes)
    for (let first = 0; first < records.length;) {
      const { beginBytes, contentChecksum } = records[first] as BlockRecord
      let { endBytes } = records[first] as BlockRecord
      let checksum = contentChecksum
      let next = first + 1
      for (; checksum !== undefined && next < records.length; next++) {
        const record = records[next] as BlockRecord
        if (record.beginBytes !== endBytes || record.contentChecksum === undefined) break
        checksum = joinCrc32(checksum, record.contentChecksum, record.contentBytes)
        endBytes = record.endBytes
      }
      const isGood =
        checksum !== undefined &&
        endBytes - fromBytes <= readBytes &&
        crc32(view(beginBytes, endBytes)) === checksum
      for (; first < next; first++) {
        const record = records[first] as BlockRecord
        if (record.endBytes - fromBytes > readBytes) continue
        const content = view(record.beginBytes, record.endBytes)
        if (isGood || isAsStored(record, content)) record.content = content
      }
    }
  }
}

/** Usually they are in order already. */
function byPlace(records: readonly BlockRecord[]): readonly BlockRecord[] {
  for (let index = 1; index < records.length; index++) {
    if ((records[index] as BlockRecord).beginBytes < (records[index - 1] as BlockRecord).beginBytes)
      return [...records].sort((one, other) => one.beginBytes - other.beginBytes)
  }
  return records
}

function isAsStored(record: BlockRecord, content: Uint8Array): boolean {
  const { contentChecksum } = record
  return contentChecksum === undefined ? record.isListed : crc32(content) === contentChecksum
}

async function readCompressed({ from, records }: BatchPart): Promise<void> {
  if (from.block.compression !== COMPRESSION_ZSTD) return
  for (const record of records) {
    if (record.state !== 'finished') continue
    const content = await from.data.read(record.beginBytes, record.contentBytes).catch(() => undefined)
    if (content?.byteLength !== record.contentBytes) continue
    if (isAsStored(record, content)) record.content = content
  }
}
