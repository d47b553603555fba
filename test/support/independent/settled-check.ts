import { crc32 } from 'node:zlib'
import { crc64 } from './crc64.ts'
import { findBuckets, findEntries } from './discovery.ts'
import type { ReadOnlyFiles } from './files.ts'
import {
  indexCrc64,
  laterIndexCrc64,
  readDescriptor,
  readIndex,
  type DescriptorMessage,
  type IndexMessageBlock,
  type RecordMessage,
} from './messages.ts'
import { Undecodable } from './protobuf.ts'

/**
 * I1 index and an empty log folder in every entry · I2 listed blocks = descriptors, each with data · I3 CRC of each
 * descriptor · I4 id = begin time = file name · I5 ids part time · I6 size covers the records, data those that are finished ·
 * I7 counts and latest times · I8 text that HTTP can carry · I9 checksum of the index · I10 totals in the index ·
 * I11 nothing is named `wal` · content: CRC-32 of contents, where stored · empty: a listed block without records.
 */
export type Invariant =
  'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10' | 'I11' | 'content' | 'empty'

export interface Violation {
  readonly invariant: Invariant
  readonly path: string
  readonly what: string
}

/** A failed upload keeps its range, and may never have written to it. */
const STATE_FINISHED = 1

type Report = (invariant: Invariant, path: string, what: string) => void

/** What keeps a directory from being as clean as a settled or properly closed store leaves it. */
export function checkSettled(files: ReadOnlyFiles): Violation[] {
  const violations: Violation[] = []
  const report: Report = (invariant, path, what) => violations.push({ invariant, path, what })
  for (const bucket of findBuckets(files)) {
    if (files.readFile(`${bucket}/bucket.settings`) === undefined) report('I1', bucket, 'no bucket.settings')
    checkNames(files, bucket, report)
    for (const entry of findEntries(files, bucket)) checkEntry(files, `${bucket}/${entry}`, report)
  }
  return violations
}

function checkNames(files: ReadOnlyFiles, path: string, report: Report): void {
  for (const name of files.list(path)) {
    if (!name.endsWith('/') || name.startsWith('.')) continue
    if (name === 'wal/') report('I11', path, 'holds a directory named wal')
    checkNames(files, `${path}/${name.slice(0, -1)}`, report)
  }
}

function checkEntry(files: ReadOnlyFiles, entry: string, report: Report): void {
  const names = files.list(entry)
  if (!names.includes('.wal/')) report('I1', entry, 'no log folder')
  if (files.list(`${entry}/.wal`).length > 0) report('I1', entry, 'log folder is not empty')
  const blocks = readEntryIndex(files, entry, report)
  const ids = [...blocks.keys()].sort((one, other) => (one < other ? -1 : 1))
  for (const name of names) {
    if (name.endsWith('.meta') && !ids.some((id) => name === `${id}.meta`))
      report('I2', entry, `${name} is not listed`)
  }
  for (const [place, id] of ids.entries()) {
    checkBlock(files, `${entry}/${id}`, blocks.get(id) as IndexMessageBlock, ids[place + 1], report)
  }
}

function readEntryIndex(files: ReadOnlyFiles, entry: string, report: Report): Map<bigint, IndexMessageBlock> {
  const bytes = files.readFile(`${entry}/blocks.idx`)
  if (bytes === undefined) {
    report('I1', entry, 'no blocks.idx')
    return new Map()
  }
  const index = decoded(() => readIndex(bytes))
  const sums = index === undefined ? [] : [indexCrc64(index.blocks), laterIndexCrc64(index.blocks)]
  if (index === undefined || !sums.includes(index.crc64)) {
    report('I9', entry, 'blocks.idx does not verify')
    return new Map()
  }
  return new Map(index.blocks.map((block) => [block.id, block]))
}

/** @param nextId first time that belongs to the next block */
function checkBlock(
  files: ReadOnlyFiles,
  path: string,
  listed: IndexMessageBlock,
  nextId: bigint | undefined,
  report: Report,
): void {
  // Of what ReductStore 1.20 and later have compressed or given up, only that it is there.
  if (listed.corrupted === 1n || listed.compression === 1n) {
    const suffix = listed.compression === 1n ? '.zst' : ''
    for (const name of [`${path}.meta${suffix}`, `${path}.blk${suffix}`])
      if (files.readFile(name) === undefined) report('I2', name, 'is not there')
    return
  }
  const data = files.readFile(`${path}.blk`)
  if (data === undefined) report('I2', path, 'no data file')
  const bytes = files.readFile(`${path}.meta`)
  const descriptor = bytes && decoded(() => readDescriptor(bytes, true))
  if (bytes === undefined || descriptor === undefined) {
    report('I2', path, bytes === undefined ? 'no descriptor' : 'descriptor does not decode')
    return
  }
  if (listed.crc64 !== crc64(bytes))
    report('I3', path, listed.crc64 === undefined ? 'listed without CRC' : 'CRC differs')
  if (descriptor.beginUs !== listed.id) report('I4', path, `begins at ${descriptor.beginUs}`)
  checkTotals(path, listed, descriptor, bytes.length, report)
  checkSizes(path, descriptor, data, report)
  for (const record of descriptor.records) {
    const us = record.timestampUs
    if (us === undefined || us < listed.id || (nextId !== undefined && us >= nextId)) {
      report('I5', path, `record at ${us} is outside the block's range`)
    }
    checkText(path, record, report)
    const content = data?.subarray(record.begin, record.end)
    if (
      content !== undefined &&
      record.state === STATE_FINISHED &&
      record.contentCrc32 !== undefined &&
      crc32(content) !== record.contentCrc32
    ) {
      report('content', path, `content of ${us} contradicts its CRC-32`)
    }
  }
}

function checkTotals(
  path: string,
  listed: IndexMessageBlock,
  descriptor: DescriptorMessage,
  descriptorBytes: number,
  report: Report,
): void {
  const { records } = descriptor
  const latestUs = records.reduce(
    (latest, { timestampUs: us }) => (us !== undefined && us > latest ? us : latest),
    0n,
  )
  const distinct = new Set(records.map((record) => record.timestampUs)).size
  if (distinct !== records.length) report('I7', path, 'holds a time twice')
  if (descriptor.recordCount !== records.length)
    report('I7', path, `descriptor counts ${descriptor.recordCount}`)
  if (listed.recordCount !== BigInt(records.length)) report('I7', path, `index counts ${listed.recordCount}`)
  if (descriptor.latestUs !== latestUs) report('I7', path, `descriptor ends at ${descriptor.latestUs}`)
  if (listed.latestUs !== latestUs) report('I7', path, `index ends at ${listed.latestUs}`)
  if (listed.size !== BigInt(descriptor.size)) report('I10', path, `index says ${listed.size} bytes`)
  if (listed.metadataSize !== BigInt(descriptorBytes))
    report('I10', path, `index says ${listed.metadataSize} of metadata`)
  if (records.length === 0) report('empty', path, 'no records')
}

function checkSizes(
  path: string,
  { size, records }: DescriptorMessage,
  data: Uint8Array | undefined,
  report: Report,
): void {
  let largestEnd = 0
  let finishedEnd = 0
  let sum = 0
  for (const { begin, end, state } of records) {
    if (end < begin) report('I6', path, 'a record ends before it begins')
    largestEnd = Math.max(largestEnd, end)
    if (state === STATE_FINISHED && end > begin) finishedEnd = Math.max(finishedEnd, end)
    sum += end - begin
  }
  if (size < largestEnd || size < sum)
    report('I6', path, `size ${size}, but records need ${Math.max(largestEnd, sum)}`)
  if (data !== undefined && data.length < finishedEnd)
    report('I6', path, `data file has ${data.length} of ${finishedEnd} bytes`)
}

function checkText(path: string, { timestampUs, labels, contentType }: RecordMessage, report: Report): void {
  for (const [name, value] of labels) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      report('I8', path, `label name ${name} of ${timestampUs}`)
    if (!isPrintable(value)) report('I8', path, `value of label ${name} of ${timestampUs}`)
  }
  if (!isPrintable(contentType)) report('I8', path, `content type of ${timestampUs}`)
}

function isPrintable(text: string): boolean {
  return /^[\x20-\x7e\t]*$/.test(text)
}

function decoded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Undecodable) return undefined
    throw error
  }
}
