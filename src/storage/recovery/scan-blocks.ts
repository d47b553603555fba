import { crc64 } from '../../base/crc64.ts'
import { inParallel } from '../../base/in-parallel.ts'
import type { FileSystem } from '../../fs/file-system.ts'
import { decodeDescriptor, firstRecordFrom, type Descriptor } from '../codec/descriptor-codec.ts'
import { decodeIndex } from '../codec/index-codec.ts'
import { decodeRecord, recordStateNumber } from '../codec/record-codec.ts'
import { scanRecord } from '../codec/scan-record.ts'
import type { ExactUs } from '../codec/wire.ts'
import type { Damage } from '../damage.ts'
import { EntryPaths, stagedFiles, storePaths } from '../paths.ts'
import type { EntryName, LabelList } from '../record.ts'
import { entryFault } from '../query/entry-fault.ts'
import { scanWal, walEntryType, type WalEntry } from '../wal/wal-codec.ts'
import type { BlockFacts, BlockName, LogFacts, LoggedChange, LoggedItem } from './facts.ts'
import { planBlock } from './plan.ts'
import { readEntries } from './read-entries.ts'
import { readMessage } from '../read-message.ts'

const PARALLEL = 16

/** Looks at the files of every block that checkpoint or frames mention, but for entries that are found damaged. */
export async function scanBlocks(
  fs: FileSystem,
  dataPath: string,
  log: LogFacts,
  damage: Damage,
): Promise<BlockFacts[]> {
  const mentioned = new Map<string, Mentioned>()
  const mention = (block: BlockName): Mentioned => {
    const key = `${block.bucket}/${block.entry}/${block.blockId}`
    let known = mentioned.get(key)
    if (known === undefined) {
      known = {
        bucket: block.bucket,
        entry: block.entry,
        blockId: block.blockId,
        items: [],
        change: undefined,
      }
      mentioned.set(key, known)
    }
    return known
  }
  const checkpointed = new Map(
    log.checkpoint.openBlocks.map((block) => [`${block.bucket}/${block.entry}/${block.blockId}`, block]),
  )
  for (const block of log.checkpoint.openBlocks) mention(block)
  for (const frame of log.frames) {
    for (const item of frame.items) mention(item.block).items.push(item)
    for (const logged of frame.changes) Object.assign(mention(logged.change), { change: logged, items: [] })
  }

  const entries = new Map<string, EntryName>()
  for (const { bucket, entry } of mentioned.values()) entries.set(`${bucket}/${entry}`, { bucket, entry })
  await inParallel(PARALLEL, [...entries.values()], (name) =>
    damage.contain(name, async () => {
      const fault = await entryFault(fs, dataPath, name)
      if (fault !== undefined) damage.note(name, fault)
    }),
  )
  const facts: BlockFacts[] = []
  await inParallel(PARALLEL, [...[...mentioned].entries()], async ([index, [key, block]]) => {
    if (damage.of(block) !== undefined) return
    await damage.contain(block, async () => {
      const paths = new EntryPaths(dataPath, block)
      const wal = await fs.readFile(paths.wal(block.blockId))
      const scan = wal === undefined ? undefined : scanWal(wal)
      const hasData = (await fs.fileBytes(paths.data(block.blockId))) !== undefined
      const descriptor = await descriptorFacts(fs, paths.descriptor(block.blockId), block.items)
      const isStaged = await isLeftAside(fs, dataPath, block.change)
      const hasFile = wal !== undefined || hasData || descriptor.state !== 'missing' || isStaged
      const known = checkpointed.get(key)
      const seen: BlockFacts = {
        ...block,
        checkpointed: block.change === undefined ? known : undefined,
        checkpointSequence: log.checkpoint.sequence,
        wal:
          wal === undefined || scan === undefined
            ? undefined
            : {
                validEndBytes: scan.endBytes,
                endsWithMarker: scan.ending === 'marker',
                ...(await originOf(
                  fs,
                  wal.subarray(0, scan.endBytes),
                  scan.entries,
                  block.items,
                  known,
                  descriptor,
                )),
              },
        isGone: !hasFile && !(await isListed(fs, paths, block.blockId)),
        isClosed: false,
        descriptor,
      }
      // An index may list thousands of blocks: it is read only where that decides.
      const isInDoubt = wal === undefined && planBlock(seen).kind === 'damaged'
      facts[index] = isInDoubt
        ? { ...seen, isClosed: await isListedAs(fs, paths, block.blockId, descriptor) }
        : seen
    })
  })
  return facts.filter((block) => damage.of(block) === undefined)
}

/**
 * ReductStore never writes a CRC-32; we do but for records that ReductStore has written. A WAL with one is ours, one without
 * is ours where the frames say so. Of finished records, it is theirs else; what holds none may be either's.
 */
async function originOf(
  fs: FileSystem,
  wal: Uint8Array,
  entries: readonly WalEntry[],
  ...begun: [readonly LoggedItem[], BlockFacts['checkpointed'], BlockFacts['descriptor']]
): Promise<{ isOurs: boolean; isTheirs: boolean }> {
  let hasFinished = false
  for (const { type, payloadFromBytes, payloadToBytes } of entries) {
    if (type !== walEntryType.writeRecord && type !== walEntryType.updateRecord) continue
    const { contentCrc32, state } = decodeRecord(wal, payloadFromBytes, payloadToBytes)
    if (contentCrc32 !== undefined) return { isOurs: true, isTheirs: false }
    hasFinished ||= state === recordStateNumber.finished
  }
  const isOurs = hasFinished && (await isBegunByUs(fs, wal, ...begun))
  return { isOurs, isTheirs: hasFinished && !isOurs }
}

/**
 * Whether a WAL is one of ours: as the checkpoint or the frames begin it, the last time or, where a power cut has brought its
 * name back, earlier.
 */
async function isBegunByUs(
  fs: FileSystem,
  wal: Uint8Array,
  items: readonly LoggedItem[],
  checkpointed: BlockFacts['checkpointed'],
  descriptor: BlockFacts['descriptor'],
): Promise<boolean> {
  const restarts = items.flatMap((item, index) => (item.walAtBytes === 0 ? [index] : []))
  const last = restarts.pop()
  if (last === undefined) {
    if (descriptor.state === 'read' && descriptor.crc64 === checkpointed?.baseCrc64) return true
  } else if (await isPrefix(fs, wal.subarray(0, items[last]?.entriesBytes), items.slice(last))) return true
  // Theirs would have to be as long, to the byte.
  const before = items.slice(0, restarts[0] ?? last)
  const keptBytes = checkpointed?.walBytes ?? Infinity
  if (wal.byteLength >= keptBytes && (await isPrefix(fs, wal.subarray(keptBytes), before))) return true
  for (const [run, from] of restarts.entries())
    if (await isPrefix(fs, wal, items.slice(from, restarts[run + 1] ?? last))) return true
  return false
}

/** Whether the entries of these items begin with `bytes`. */
export async function isPrefix(
  fs: FileSystem,
  bytes: Uint8Array,
  items: readonly LoggedItem[],
): Promise<boolean> {
  let atBytes = 0
  for (const item of items) {
    if (atBytes >= bytes.byteLength) break
    const entries = await readEntries(fs, item)
    const part = bytes.subarray(atBytes, atBytes + entries.byteLength)
    if (Buffer.compare(part, entries.subarray(0, part.byteLength)) !== 0) return false
    atBytes += part.byteLength
  }
  return atBytes >= bytes.byteLength
}

/** Whether a block that a frame puts into its place has not got there yet, or in part. */
async function isLeftAside(
  fs: FileSystem,
  dataPath: string,
  logged: LoggedChange | undefined,
): Promise<boolean> {
  if (logged?.change.kind !== 'adopt') return false
  const { data, descriptor } = stagedFiles(storePaths(dataPath), logged.change.stagedName)
  return (await fs.fileBytes(data)) !== undefined || (await fs.fileBytes(descriptor)) !== undefined
}

/** Whether the index names the block, or cannot be read. */
export async function isListed(fs: FileSystem, paths: EntryPaths, blockId: number): Promise<boolean> {
  const bytes = await readMessage(fs, paths.index)
  if (bytes === undefined) return (await fs.list(paths.directory)) !== undefined
  const index = decodeIndex(bytes)
  return index.verdict !== 'valid' || index.entries.has(BigInt(blockId))
}

async function isListedAs(
  fs: FileSystem,
  paths: EntryPaths,
  blockId: number,
  descriptor: BlockFacts['descriptor'],
): Promise<boolean> {
  const bytes = descriptor.state === 'read' ? await readMessage(fs, paths.index) : undefined
  const index = bytes && decodeIndex(bytes)
  if (descriptor.state !== 'read' || index?.verdict !== 'valid') return false
  return index.entries.get(BigInt(blockId))?.crc64 === descriptor.crc64
}

type Mentioned = BlockName & { items: LoggedItem[]; change: LoggedChange | undefined }

async function descriptorFacts(
  fs: FileSystem,
  path: string,
  items: readonly LoggedItem[],
): Promise<BlockFacts['descriptor']> {
  const bytes = await readMessage(fs, path)
  if (bytes === undefined) return { state: 'missing' }
  let descriptor: Descriptor
  try {
    descriptor = decodeDescriptor(bytes)
  } catch {
    return { state: 'undecodable' }
  }
  const restartAt = items.findLastIndex((item) => item.walAtBytes === 0)
  const last = restartAt === -1 ? items : items.slice(restartAt)
  return {
    state: 'read',
    crc64: crc64(bytes),
    recordCount: descriptor.timestampsUs.length,
    lastFrame: descriptor.lastFrame,
    holdsFrames: await holdsItems(fs, descriptor, last),
  }
}

/** Whether every record is there as it was logged last. */
async function holdsItems(
  fs: FileSystem,
  descriptor: Descriptor,
  items: readonly LoggedItem[],
): Promise<boolean> {
  const seen = new Set<ExactUs>()
  for (const item of items.toReversed()) {
    const entries = await readEntries(fs, item)
    for (const entry of scanWal(entries).entries.toReversed()) {
      const { timestampUs } = scanRecord(entries, entry.payloadFromBytes, entry.payloadToBytes)
      if (seen.has(timestampUs)) continue
      seen.add(timestampUs)
      const index = recordIndex(descriptor, BigInt(timestampUs))
      if (index === undefined || !isHeld(descriptor, index, entries, entry)) return false
    }
  }
  return true
}

/**
 * Whether the record is as an entry says, wherever its content is. Labels are looked at only where they were changed:
 * ReductStore keeps them in any order, and without the fields that it does not know.
 */
function isHeld(
  { bytes, recordFromBytes, recordToBytes }: Descriptor,
  index: number,
  entries: Uint8Array,
  { type, payloadFromBytes, payloadToBytes }: WalEntry,
): boolean {
  const from = recordFromBytes[index] as number
  const to = recordToBytes[index] as number
  const logged = scanRecord(entries, payloadFromBytes, payloadToBytes)
  const held = scanRecord(bytes, from, to)
  const isSameContent =
    held.endBytes - held.beginBytes === logged.endBytes - logged.beginBytes && held.state === logged.state
  if (!isSameContent || type !== walEntryType.updateRecord) return isSameContent
  return sameLabels(
    decodeRecord(bytes, from, to).labels,
    decodeRecord(entries, payloadFromBytes, payloadToBytes).labels,
  )
}

/** Whatever their order. */
export function sameLabels(some: LabelList, others: LabelList): boolean {
  return labelsText(some) === labelsText(others)
}

function labelsText(labels: LabelList): string {
  const pairs = labels.flatMap((name, index) =>
    index % 2 === 0 ? [JSON.stringify([name, labels[index + 1]])] : [],
  )
  return pairs.sort().join()
}

/** Index of the record at exactly this time. */
export function recordIndex(descriptor: Descriptor, timestampUs: bigint): number | undefined {
  const index = firstRecordFrom(descriptor, timestampUs)
  return descriptor.timestampsUs[index] === timestampUs ? index : undefined
}
