import { crc32 } from '../../base/crc32.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { decodeRecord, recordStateNumber } from '../codec/record-codec.ts'
import {
  FRAME_ALIGN_BYTES,
  FRAME_CHAIN_BYTES,
  FRAME_HEADER_BYTES,
  alignFrame,
  frameBytes,
  parseFrame,
  readFrameHeader,
  type Frame,
} from '../commitlog/frame.ts'
import { LOG_HEADER_BYTES, decodeLogHeader, type Checkpoint } from '../commitlog/log-file.ts'
import { logPath, parseLogName, type StorePaths } from '../paths.ts'
import { scanWal, walEntryType } from '../wal/wal-codec.ts'
import type { BlockName, LogFacts, LoggedFrame, LoggedItem } from './facts.ts'

/**
 * Reads all frames behind the checkpoint (step R1). Never throws for damage: it is named in the result.
 * @param endLog files from this number on are left out
 */
export async function scanLog(
  fs: FileSystem,
  paths: StorePaths,
  checkpoint: Checkpoint,
  endLog = Infinity,
): Promise<LogFacts> {
  const items = (await fs.list(paths.logDirectory)) ?? []
  const numbers = items.map((item) => parseLogName(item.name) ?? Infinity).filter((number) => number < endLog)
  numbers.sort((a, b) => a - b)
  const frames: LoggedFrame[] = []
  const blocks = new BlockNames()
  const damage: string[] = []
  let logBytes = 0
  let tornTailBytes = 0
  const lastFrame = (): { sequence: number; chain: bigint } => frames.at(-1) ?? checkpoint
  if (!numbers.includes(checkpoint.firstLog)) {
    damage.push(`log file ${checkpoint.firstLog}, which the checkpoint begins with, is missing`)
  }

  for (const number of numbers) {
    if (number < checkpoint.firstLog) continue
    const path = logPath(paths.logDirectory, number)
    const window = new FileWindow(fs, path, (await fs.fileBytes(path)) ?? 0)
    logBytes += window.fileBytes
    const header = decodeLogHeader(await window.view(0, LOG_HEADER_BYTES))
    const rotten =
      header?.number === number
        ? undefined
        : await rottenHeader(window, number, checkpoint, lastFrame().sequence)
    if (rotten !== undefined) {
      damage.push(rotten)
      break
    }
    if (header === undefined || header.number !== number) continue
    if (header.firstSequence > lastFrame().sequence + 1) {
      damage.push(
        `log file ${number} begins with group ${header.firstSequence}, the one before ends with ${lastFrame().sequence}`,
      )
      break
    }
    const kept = frames.filter((frame) => frame.sequence < header.firstSequence)
    const last = kept.at(-1) ?? checkpoint
    // Recovery begins a log with the last frame: it may be the very one that the checkpoint stands on.
    const isCheckpointed = header.firstSequence <= checkpoint.sequence
    const before = isCheckpointed
      ? { sequence: header.firstSequence - 1, chain: header.chainBefore }
      : { sequence: last.sequence, chain: last.chain }
    if (before.sequence !== header.firstSequence - 1 || before.chain !== header.chainBefore) {
      damage.push(`log file ${number} does not follow the frames before it`)
      break
    }
    const { atBytes: end, read } = await readFrames(window, before, blocks)
    const { sequence, chain } = checkpoint
    if (isCheckpointed && !read.some((frame) => frame.sequence === sequence && frame.chain === chain)) {
      damage.push(`log file ${number} does not hold group ${sequence}, which the checkpoint stands on`)
      break
    }
    // Older copies give way only to what is really there: the repeated frame may not have been written yet.
    if (read.length > 0)
      frames.splice(0, Infinity, ...kept, ...read.filter((frame) => frame.sequence > sequence))
    tornTailBytes = await countTail(window, end)
    const lost = await findLaterFrame(window, end, lastFrame().sequence)
    if (lost !== undefined) {
      damage.push(
        `${path}: group ${lastFrame().sequence + 1} was acknowledged and is damaged (a later frame says ${lost})`,
      )
      break
    }
  }
  return { checkpoint, frames, logNumberMax: numbers.at(-1) ?? 0, logBytes, tornTailBytes, damage }
}

/**
 * Why a header that does not verify is no torn one: it is synced before a frame follows or a checkpoint names its file.
 */
async function rottenHeader(
  window: FileWindow,
  number: number,
  checkpoint: Checkpoint,
  sequence: number,
): Promise<string | undefined> {
  if (number === checkpoint.firstLog) {
    return `${window.path}: the header is damaged of the file that the checkpoint begins with`
  }
  const later = await findFrame(window, LOG_HEADER_BYTES, (frame) => frame.sequence > sequence)
  return later && `${window.path}: the header is damaged, and group ${later.sequence} stands behind it`
}

/** The valid frames of one file that follow `before`, and where the first invalid one would begin. */
async function readFrames(
  window: FileWindow,
  before: { readonly sequence: number; readonly chain: bigint },
  blocks: BlockNames,
): Promise<{ read: LoggedFrame[]; atBytes: number }> {
  const read: LoggedFrame[] = []
  let atBytes = LOG_HEADER_BYTES
  for (;;) {
    const last = read.at(-1) ?? before
    const frame = await readFrame(window, atBytes)
    if (frame === undefined) return { read, atBytes }
    if (frame.sequence !== last.sequence + 1 || frame.previousChain !== last.chain) return { read, atBytes }
    if (!(await contentsMatch(window, atBytes, frame))) return { read, atBytes }
    const bytes = alignFrame(frameBytes(frame.metaBytes, frame.contentBytes))
    read.push({
      sequence: frame.sequence,
      previousChain: frame.previousChain,
      chain: frame.chain,
      items: loggedItems(frame, window.path, atBytes, blocks),
      changes: frame.changes.map((change) => ({ sequence: frame.sequence, change })),
      // A view would keep the whole frame in memory.
      deltas: frame.deltas.map((delta) => delta.slice()),
      logPath: window.path,
      atBytes,
      bytes,
    })
    atBytes += bytes
  }
}

function loggedItems(frame: FoundFrame, logPath: string, atBytes: number, blocks: BlockNames): LoggedItem[] {
  const viewedFrom = frame.viewed.byteOffset
  return frame.records.map((item) => ({
    block: blocks.shared(item),
    sequence: frame.sequence,
    walAtBytes: item.walAtBytes,
    blkAtBytes: item.blkAtBytes,
    direct: item.direct,
    baseCrc64: item.baseCrc64,
    logPath,
    entriesInLogBytes: atBytes + item.entries.byteOffset - viewedFrom,
    entriesBytes: item.entries.byteLength,
    entriesCrc32: crc32(item.entries),
    contentInLogBytes: atBytes + item.contentAtBytes,
    contentBytes: item.contentBytes,
    recordCount: item.recordCount,
  }))
}

/** One object a block, however many frames name it. */
class BlockNames {
  readonly #known = new Map<string, BlockName>()

  shared({ bucket, entry, blockId }: BlockName): BlockName {
    const key = `${bucket}/${entry}/${blockId}`
    let known = this.#known.get(key)
    if (known === undefined) this.#known.set(key, (known = { bucket, entry, blockId }))
    return known
  }
}

/** A frame and the bytes that its entries are views of. */
interface FoundFrame extends Frame {
  readonly viewed: Uint8Array
}

async function readFrame(window: FileWindow, atBytes: number): Promise<FoundFrame | undefined> {
  const header = readFrameHeader(await window.view(atBytes, FRAME_HEADER_BYTES))
  if (header === undefined) return undefined
  if (atBytes + frameBytes(header.metaBytes, header.contentBytes) > window.fileBytes) return undefined
  const bytes = await window.view(atBytes, FRAME_HEADER_BYTES + header.metaBytes + FRAME_CHAIN_BYTES)
  const frame = parseFrame(bytes)
  return frame && { ...frame, viewed: bytes }
}

/** Whether the inline content is what the records' CRC-32 say. */
async function contentsMatch(window: FileWindow, atBytes: number, frame: Frame): Promise<boolean> {
  for (const item of frame.records) {
    if (item.direct) continue
    const content = await window.view(atBytes + item.contentAtBytes, item.contentBytes)
    if (content.byteLength < item.contentBytes || !contentMatches(item.entries, item.blkAtBytes, content))
      return false
  }
  return true
}

/** Whether `content`, which begins at `blkAtBytes` of the data file, is the content of the records of `entries`. */
function contentMatches(entries: Uint8Array, blkAtBytes: number, content: Uint8Array): boolean {
  for (const entry of scanWal(entries).entries) {
    if (entry.type !== walEntryType.writeRecord) continue
    const record = decodeRecord(entries, entry.payloadFromBytes, entry.payloadToBytes)
    // A range that was promised to an upload: its bytes come later.
    if (record.state !== recordStateNumber.finished) continue
    const from = record.beginBytes - blkAtBytes
    const bytes = content.subarray(from, record.endBytes - blkAtBytes)
    if (bytes.byteLength !== record.endBytes - record.beginBytes) return false
    if (record.contentCrc32 !== undefined && crc32(bytes) !== record.contentCrc32) return false
  }
  return true
}

/** The watermark of a whole frame behind `fromBytes` that proves a group after `sequence` durable. */
async function findLaterFrame(
  window: FileWindow,
  fromBytes: number,
  sequence: number,
): Promise<number | undefined> {
  const later = await findFrame(
    window,
    fromBytes,
    (frame) => frame.sequence > sequence && frame.watermark > sequence,
  )
  return later?.watermark
}

/** The first whole frame from `fromBytes` on that is `wanted`. */
async function findFrame(
  window: FileWindow,
  fromBytes: number,
  wanted: (frame: Frame) => boolean,
): Promise<Frame | undefined> {
  for (let at = fromBytes; at + FRAME_HEADER_BYTES <= window.fileBytes; at += FRAME_ALIGN_BYTES) {
    const frame = await readFrame(window, at)
    if (frame !== undefined && wanted(frame)) return frame
  }
  return undefined
}

async function countTail(window: FileWindow, fromBytes: number): Promise<number> {
  let count = 0
  for (let at = fromBytes; at < window.fileBytes; at += WINDOW_BYTES) {
    const bytes = await window.view(at, Math.min(WINDOW_BYTES, window.fileBytes - at))
    const lastByte = bytes.findLastIndex((byte) => byte !== 0)
    if (lastByte !== -1) count = at + lastByte + 1 - fromBytes
  }
  return count
}

const WINDOW_BYTES = 1024 * 1024

/** Reads a file in large steps, each into new memory: a view stays what it is when the window moves on. */
class FileWindow {
  readonly path: string
  readonly fileBytes: number
  readonly #fs: FileSystem
  #bytes: Uint8Array = new Uint8Array(0)
  #atBytes = 0

  constructor(fs: FileSystem, path: string, fileBytes: number) {
    this.#fs = fs
    this.path = path
    this.fileBytes = fileBytes
  }

  /** Shorter at the end of the file. */
  async view(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const wanted = Math.min(lengthBytes, Math.max(0, this.fileBytes - atBytes))
    if (atBytes < this.#atBytes || atBytes + wanted > this.#atBytes + this.#bytes.byteLength) {
      this.#bytes = await this.#fs.read(this.path, atBytes, Math.max(wanted, WINDOW_BYTES))
      this.#atBytes = atBytes
    }
    return this.#bytes.subarray(atBytes - this.#atBytes, atBytes - this.#atBytes + wanted)
  }
}
