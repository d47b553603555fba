import { crc64 } from './crc64.ts'
import { Fields } from './protobuf.ts'

export interface RecordMessage {
  /** Absent in the file: ReductStore dies reading it. */
  readonly timestampUs: bigint | undefined
  readonly begin: number
  readonly end: number
  readonly state: number
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly contentType: string
  /** Sediment's own field 1000. */
  readonly contentCrc32: number | undefined
  /** Length of the encoded message. */
  readonly encodedBytes: number
}

export interface DescriptorMessage {
  readonly beginUs: bigint | undefined
  readonly latestUs: bigint | undefined
  readonly size: number
  readonly recordCount: number
  readonly metadataSize: number
  readonly records: readonly RecordMessage[]
}

export interface IndexMessageBlock {
  readonly id: bigint
  readonly size: bigint
  readonly recordCount: bigint
  readonly metadataSize: bigint
  readonly latestUs: bigint | undefined
  readonly crc64: bigint | undefined
  /** Of ReductStore 1.20 and later. */
  readonly compression: bigint | undefined
  readonly corrupted: bigint | undefined
  readonly version: bigint | undefined
}

export interface IndexMessage {
  /** In file order, repeated ids included. */
  readonly blocks: readonly IndexMessageBlock[]
  readonly crc64: bigint
}

function timestamp(bytes: Uint8Array, [from, to]: [number, number]): bigint {
  const fields = new Fields(bytes, from, to)
  let seconds = 0n
  let nanos = 0n
  for (let field = fields.next(); field !== 0; field = fields.next()) {
    if (field === 1) seconds = BigInt.asIntN(64, fields.integer())
    else if (field === 2) nanos = BigInt.asIntN(32, fields.integer())
    else fields.skip()
  }
  return BigInt.asUintN(64, seconds * 1_000_000n + nanos / 1000n)
}

export function readRecord(bytes: Uint8Array, fromBytes = 0, toBytes = bytes.length): RecordMessage {
  const fields = new Fields(bytes, fromBytes, toBytes)
  let timestampUs: bigint | undefined
  let begin = 0
  let end = 0
  let state = 0
  let contentType = ''
  let contentCrc32: number | undefined
  const labels: [string, string][] = []
  for (let field = fields.next(); field !== 0; field = fields.next()) {
    if (field === 1) timestampUs = timestamp(bytes, fields.message())
    else if (field === 2) begin = fields.number()
    else if (field === 3) end = fields.number()
    else if (field === 4) state = fields.number()
    else if (field === 5) labels.push(readLabel(bytes, fields.message()))
    else if (field === 6) contentType = fields.text()
    else if (field === 1000) contentCrc32 = fields.fixed32()
    else fields.skip()
  }
  const encodedBytes = toBytes - fromBytes
  return { timestampUs, begin, end, state, labels, contentType, contentCrc32, encodedBytes }
}

function readLabel(bytes: Uint8Array, [from, to]: [number, number]): [string, string] {
  const fields = new Fields(bytes, from, to)
  let name = ''
  let value = ''
  for (let field = fields.next(); field !== 0; field = fields.next()) {
    if (field === 1) name = fields.text()
    else if (field === 2) value = fields.text()
    else fields.skip()
  }
  return [name, value]
}

/** `withRecords` false: records are stepped over, as an index rebuild does. */
export function readDescriptor(bytes: Uint8Array, withRecords: boolean): DescriptorMessage {
  const fields = new Fields(bytes)
  let beginUs: bigint | undefined
  let latestUs: bigint | undefined
  let size = 0
  let recordCount = 0
  let metadataSize = 0
  const records: RecordMessage[] = []
  for (let field = fields.next(); field !== 0; field = fields.next()) {
    if (field === 1) beginUs = timestamp(bytes, fields.message())
    else if (field === 2) latestUs = timestamp(bytes, fields.message())
    else if (field === 3) size = fields.number()
    else if (field === 4 && withRecords) records.push(readRecord(bytes, ...fields.message()))
    else if (field === 6) recordCount = fields.number()
    else if (field === 7) metadataSize = fields.number()
    else fields.skip()
  }
  return { beginUs, latestUs, size, recordCount, metadataSize, records }
}

export function readIndex(bytes: Uint8Array): IndexMessage {
  const fields = new Fields(bytes)
  const blocks: IndexMessageBlock[] = []
  let stored = 0n
  for (let field = fields.next(); field !== 0; field = fields.next()) {
    if (field === 1) blocks.push(readIndexBlock(bytes, fields.message()))
    else if (field === 2) stored = fields.integer()
    else fields.skip()
  }
  return { blocks, crc64: stored }
}

function readIndexBlock(bytes: Uint8Array, [from, to]: [number, number]): IndexMessageBlock {
  const fields = new Fields(bytes, from, to)
  const integers = new Map<number, bigint>()
  let latestUs: bigint | undefined
  for (let field = fields.next(); field !== 0; field = fields.next()) {
    if (field === 5) latestUs = timestamp(bytes, fields.message())
    else if (field <= 9) integers.set(field, fields.integer())
    else fields.skip()
  }
  return {
    id: integers.get(1) ?? 0n,
    size: integers.get(2) ?? 0n,
    recordCount: integers.get(3) ?? 0n,
    metadataSize: integers.get(4) ?? 0n,
    latestUs,
    crc64: integers.get(6),
    compression: integers.get(7),
    corrupted: integers.get(8),
    version: integers.get(9),
  }
}

/** The checksum over the entries as 1.19 computes it, which knows nothing of the fields of later versions. */
export function indexCrc64(blocks: readonly IndexMessageBlock[]): bigint {
  return crc64(Buffer.concat(blocks.map(checksumInput)))
}

/** The same as 1.20 and later compute it. */
export function laterIndexCrc64(blocks: readonly IndexMessageBlock[]): bigint {
  const inputs = blocks.flatMap((block) => [
    checksumInput(block),
    ...(block.corrupted === undefined ? [] : [Buffer.of(Number(block.corrupted))]),
    ...(block.version === undefined ? [] : [bigEndian([block.version])]),
  ])
  return crc64(Buffer.concat(inputs))
}

function checksumInput({
  id,
  size,
  recordCount,
  metadataSize,
  latestUs,
  crc64: crc,
}: IndexMessageBlock): Buffer {
  return bigEndian([id, size, recordCount, metadataSize, latestUs ?? 0n, ...(crc === undefined ? [] : [crc])])
}

function bigEndian(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8)
  for (const [index, value] of values.entries()) bytes.writeBigUInt64BE(value, index * 8)
  return bytes
}
