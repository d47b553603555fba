import fc from 'fast-check'
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
  parseFrame,
  readFrameHeader,
  writeDeltaItem,
} from '../../src/storage/commitlog/frame.ts'
import {
  LOG_HEADER_BYTES,
  decodeCheckpoint,
  decodeLogHeader,
  encodeCheckpoint,
  encodeLogHeader,
} from '../../src/storage/commitlog/log-file.ts'
import { storePaths } from '../../src/storage/paths.ts'
import { readEntries } from '../../src/storage/recovery/read-entries.ts'
import { readCheckpoint } from '../../src/storage/recovery/recover.ts'
import { scanLog } from '../../src/storage/recovery/scan-log.ts'
import type { LogFacts } from '../../src/storage/recovery/facts.ts'
import { crc64 } from '../support/independent/crc64.ts'
import { SimulatedDisk } from '../support/simulated-disk.ts'
import { openStore, write } from '../support/storage/store.ts'
import type { FuzzTarget } from './fuzz.ts'
import { firstDifference } from './mutations.ts'
import { isDamage, name, record, safeNat, u64 } from './storage-targets.ts'

const item = fc.record({
  bucket: name,
  entry: name,
  blockId: safeNat,
  walAtBytes: safeNat,
  blkAtBytes: safeNat,
  direct: fc.boolean(),
  baseCrc64: fc.option(u64, { nil: undefined }),
  recordCount: fc.nat(0xffff_ffff),
  contentBytes: fc.nat(100),
  entries: record,
})

const frame = fc
  .record({
    items: fc.array(item, { maxLength: 3 }),
    deltas: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 2 }),
    sequence: safeNat,
    generation: fc.nat(),
    watermark: safeNat,
    previousChain: u64,
  })
  .map(({ items, deltas, ...header }) => {
    let room = FRAME_HEADER_BYTES + FRAME_CHAIN_BYTES
    for (const delta of deltas) room += deltaItemBytes(delta)
    for (const one of items) room += itemOverheadBytes(one.bucket, one.entry) + one.entries.byteLength
    const target = Buffer.alloc(room)
    let at = FRAME_HEADER_BYTES
    for (const delta of deltas) at = writeDeltaItem(target, at, delta)
    for (const one of items) {
      const entriesAt = beginRecordsItem(target, at, one)
      target.set(one.entries, entriesAt)
      at = finishRecordsItem(target, entriesAt, entriesAt + one.entries.byteLength)
    }
    const metaBytes = at - FRAME_HEADER_BYTES
    finishFrame(target, { ...header, metaBytes, contentBytes: 0 })
    return new Uint8Array(target.subarray(0, frameBytes(metaBytes, 0)))
  })

const frameTarget: FuzzTarget = {
  name: 'frame',
  valid: frame,
  reseal: (bytes) => {
    const changed = Buffer.from(bytes)
    resealFrame(changed, 0)
    return changed
  },
  isPromised: isDamage,
  decode: (bytes) => {
    const parsed = parseFrame(bytes)
    if (parsed === undefined) return 'refused'
    if (parsed.chain !== crc64(bytes, 0, FRAME_HEADER_BYTES + parsed.metaBytes))
      throw new Error('a frame that was never written')
    return 'whole'
  },
}

/** @returns where the frame ends; `undefined` when it is none */
function resealFrame(bytes: Buffer, atBytes: number): number | undefined {
  const header = readFrameHeader(bytes.subarray(atBytes))
  if (header === undefined) return undefined
  const chainAt = atBytes + FRAME_HEADER_BYTES + header.metaBytes
  if (chainAt + FRAME_CHAIN_BYTES > bytes.byteLength) return undefined
  bytes.writeBigUInt64LE(crc64(bytes, atBytes, chainAt), chainAt)
  return atBytes + alignFrame(frameBytes(header.metaBytes, header.contentBytes))
}

const logHeaderTarget: FuzzTarget = {
  name: 'log header',
  valid: fc.record({ number: safeNat, firstSequence: safeNat, chainBefore: u64 }).map(encodeLogHeader),
  reseal: (bytes) => {
    const changed = Buffer.from(bytes)
    if (changed.byteLength >= 40) changed.writeBigUInt64LE(crc64(changed, 0, 32), 32)
    return changed
  },
  isPromised: () => false,
  decode: (bytes) => (decodeLogHeader(bytes) === undefined ? 'refused' : 'whole'),
}

const openBlocks = fc.array(
  fc.record({
    bucket: name,
    entry: name,
    blockId: safeNat,
    walBytes: safeNat,
    blkEndBytes: safeNat,
    recordCount: safeNat,
    baseCrc64: fc.option(u64, { nil: undefined }),
    isFolding: fc.boolean(),
  }),
  { maxLength: 4 },
)

const checkpointTarget: FuzzTarget = {
  name: 'checkpoint',
  valid: fc
    .record({
      firstLog: safeNat,
      sequence: safeNat,
      chain: u64,
      generation: fc.nat(),
      companion: fc.option(fc.uint8Array({ maxLength: 50 }), { nil: undefined }),
      openBlocks,
      waiting: fc.array(
        fc.record({
          firstLog: safeNat,
          endLog: safeNat,
          sequence: safeNat,
          chain: u64,
          entries: fc.array(fc.record({ bucket: name, entry: name }), { maxLength: 3 }),
          openBlocks,
        }),
        { maxLength: 2 },
      ),
    })
    .map(encodeCheckpoint),
  reseal: (bytes) => {
    const changed = Buffer.from(bytes)
    const bodyBytes = changed.byteLength - 8
    if (bodyBytes >= 0) changed.writeBigUInt64LE(crc64(changed, 0, bodyBytes), bodyBytes)
    return changed
  },
  isPromised: isDamage,
  decode: (bytes) => {
    const { openBlocks } = decodeCheckpoint(bytes)
    if (crc64(bytes, 0, bytes.byteLength - 8) !== Buffer.from(bytes).readBigUInt64LE(bytes.byteLength - 8))
      throw new Error('a checkpoint that was never written')
    return openBlocks.length * 40 <= bytes.byteLength ? 'whole' : 'part'
  },
}

const paths = storePaths('/data')
const target = { bucket: 'one', entry: 'a/b' }
const startUs = 1_750_000_000_000_000

interface MadeLog {
  readonly path: string
  readonly bytes: Uint8Array
  readonly checkpoint: Uint8Array
}

/** The log of a store that was killed: groups of one record and of several, with contents and without. */
async function makeLog(contents: readonly (readonly number[])[]): Promise<MadeLog> {
  const disk = new SimulatedDisk({ seed: 1 })
  const storage = await openStore(disk.fs)
  let timestampUs = startUs
  for (const [group, lengths] of contents.entries()) {
    const writes = lengths.map((length) =>
      write(target, (timestampUs += 1000), new Uint8Array(length).fill(group), ['group', String(group)]),
    )
    await storage.submit({ writes, delta: Buffer.from(`delta ${group}`) })
  }
  disk.killProcess()
  const path = disk.paths(paths.logDirectory).at(-1)
  const bytes = path === undefined ? undefined : disk.peek(path)
  const checkpoint = disk.peek(paths.checkpoint)
  if (path === undefined || bytes === undefined || checkpoint === undefined)
    throw new Error('there is no log')
  return { path, bytes, checkpoint }
}

async function scan({ path, checkpoint }: MadeLog, bytes: Uint8Array): Promise<[SimulatedDisk, LogFacts]> {
  const disk = new SimulatedDisk()
  disk.putFile(paths.checkpoint, checkpoint)
  disk.putFile(path, bytes)
  return [disk, await scanLog(disk.fs, paths, await readCheckpoint(disk.fs, paths))]
}

/** A whole log file, as a start reads it. Frames are told by their chain value. */
async function logTarget(): Promise<FuzzTarget> {
  const logs = await Promise.all([
    makeLog([[10], [600, 20], [0], [3], [2000]]),
    makeLog([[10], [5], [], [1500, 0, 7], [30], [40]]),
  ])
  const known = new Map<Uint8Array, { log: MadeLog; frames: LogFacts['frames'] }>()
  for (const log of logs) known.set(log.bytes, { log, frames: (await scan(log, log.bytes))[1].frames })
  if ([...known.values()].some(({ frames }) => frames.length < 4)) throw new Error('the logs hold no frames')
  const anyLog = logs[0]

  return {
    name: 'commit log',
    valid: fc.constantFrom(...known.keys()),
    share: 0.15,
    reseal: (bytes) => {
      const changed = Buffer.from(bytes)
      if (changed.byteLength < LOG_HEADER_BYTES) return changed
      changed.writeBigUInt64LE(crc64(changed, 0, 32), 32)
      let chain = changed.readBigUInt64LE(24)
      for (
        let at: number | undefined = LOG_HEADER_BYTES;
        at !== undefined && at + 48 <= changed.byteLength;
      ) {
        const header = readFrameHeader(changed.subarray(at))
        if (header === undefined) break
        changed.writeBigUInt64LE(chain, at + 40)
        const end = resealFrame(changed, at)
        const chainAt = at + FRAME_HEADER_BYTES + header.metaBytes
        if (end !== undefined) chain = changed.readBigUInt64LE(chainAt)
        at = end
      }
      return changed
    },
    isPromised: isDamage,
    decode: async (bytes, origin) => {
      const whole = origin && known.get(origin)
      const [disk, { frames, damage }] = await scan(whole?.log ?? anyLog, bytes)
      for (const { items } of frames) for (const one of items) await readEntries(disk.fs, one)
      if (whole !== undefined) {
        const valid = new Set([...known.values()].flatMap(({ frames: all }) => all.map(({ chain }) => chain)))
        if (frames.some(({ chain }) => !valid.has(chain))) throw new Error('a frame that was never written')
        const sameBytes = firstDifference(bytes, whole.log.bytes)
        const untouched = whole.frames.filter(({ atBytes, bytes: length }) => atBytes + length <= sameBytes)
        if (damage.length === 0 && untouched.some(({ chain }, index) => frames[index]?.chain !== chain))
          throw new Error('frames before the damage are lost')
      }
      return damage.length > 0 ? 'refused' : frames.length === (whole?.frames.length ?? 0) ? 'whole' : 'part'
    },
  }
}

export async function logTargets(): Promise<FuzzTarget[]> {
  return [frameTarget, logHeaderTarget, checkpointTarget, await logTarget()]
}
