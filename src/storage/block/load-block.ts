import { crc64 } from '../../base/crc64.ts'
import { FileSystemError, type FileSystem } from '../../fs/file-system.ts'
import { decodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'
import type { IndexEntry } from '../codec/index-codec.ts'
import { lacksContentCrc, scanRecord } from '../codec/scan-record.ts'
import type { Entry } from '../entry.ts'
import { StorageError } from '../errors.ts'
import { scanWal } from '../wal/wal-codec.ts'
import { OpenBlock } from './block.ts'
import { checkDescriptor, mergeBlock } from './block-content.ts'
import { readMessage } from '../read-message.ts'

/**
 * Reads a cold block so that it can take records; its WAL restarts at 0.
 * @throws {StorageError} `ERR_CORRUPT` when its descriptor is missing, damaged, or on sectors that cannot be read, or when
 *   content without a CRC-32 is missing at the end of its data file
 */
export async function loadColdBlock(fs: FileSystem, entry: Entry, cold: IndexEntry): Promise<OpenBlock> {
  const path = entry.paths.descriptor(cold.id)
  const bytes = await readDescriptor(fs, path)
  const descriptor = checkDescriptor(bytes, path, cold.crc64)
  if ((descriptor.timestampsUs.at(-1) ?? 0n) > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new StorageError('ERR_CORRUPT', `descriptor ${path} has times that its index entry denies`, {
      path,
    })
  }
  if (cold.hasChecksums !== true) await requireUncheckedContent(fs, entry.paths.data(cold.id), descriptor)
  const block = new OpenBlock(entry, Number(cold.id), 0)
  block.baseCrc64 = crc64(descriptor.bytes)
  block.hasChecksums = cold.hasChecksums === true
  fill(block, descriptor)
  return block
}

/** `undefined` where there is none. @throws {StorageError} `ERR_CORRUPT` for sectors that cannot be read: damage of this block */
export async function readDescriptor(fs: FileSystem, path: string): Promise<Uint8Array | undefined> {
  try {
    return await readMessage(fs, path)
  } catch (error) {
    const isDamage =
      error instanceof FileSystemError && (error.code === 'ERR_IO' || error.code === 'ERR_WRONG_KIND')
    if (!isDamage) throw error
    throw new StorageError('ERR_CORRUPT', `descriptor ${path} cannot be read`, { path }, error)
  }
}

/**
 * Reads a block with its WAL, as recovery or ReductStore left it: everything in both is durable and visible. An empty
 * descriptor is that of a block which ReductStore began and never saved: its WAL has everything.
 */
export async function loadOpenBlock(fs: FileSystem, entry: Entry, id: number): Promise<OpenBlock> {
  const path = entry.paths.descriptor(id)
  const bytes = await readMessage(fs, path)
  const base =
    bytes === undefined || bytes.byteLength === 0 ? undefined : checkDescriptor(bytes, path, undefined)
  const block = new OpenBlock(entry, id, 0)
  const wal = (await fs.readFile(block.wal.path)) ?? new Uint8Array(0)
  const merged = mergeBlock(BigInt(id), base, wal, undefined)
  if (base !== undefined) {
    block.baseCrc64 = crc64(base.bytes)
    block.hasChecksums = entry.index.get(BigInt(id))?.hasChecksums === true
  }
  fill(block, decodeDescriptor(merged.bytes))
  block.walReservedBytes = scanWal(wal).endBytes
  block.walProjectedBytes = block.walReservedBytes
  block.isListedOpen = true
  return block
}

/** What is missing at the end of the file would read as zeros once something is written behind it, and only a CRC-32 tells. */
async function requireUncheckedContent(
  fs: FileSystem,
  path: string,
  { bytes, recordFromBytes, recordToBytes }: Descriptor,
): Promise<void> {
  let neededBytes = 0
  for (const [index, from] of recordFromBytes.entries()) {
    const to = recordToBytes[index] as number
    if (!lacksContentCrc(bytes, from, to)) continue
    const { beginBytes, endBytes } = scanRecord(bytes, from, to)
    if (endBytes > beginBytes) neededBytes = Math.max(neededBytes, endBytes)
  }
  if (neededBytes === 0 || ((await fs.fileBytes(path)) ?? 0) >= neededBytes) return
  throw new StorageError('ERR_CORRUPT', `data file ${path} is missing or too short`, { path })
}

function fill(block: OpenBlock, descriptor: Descriptor): void {
  block.blkReservedBytes = descriptor.sizeBytes
  block.recordCount = descriptor.timestampsUs.length
  block.opened = { recordCount: block.recordCount, blkBytes: block.blkReservedBytes }
  block.metadataBytes = descriptor.metadataBytes
  for (const timestampUs of descriptor.timestampsUs) block.slots.add(Number(timestampUs))
  block.latestUs = Number(descriptor.timestampsUs.at(-1) ?? 0n)
}
