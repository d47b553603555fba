import { FileSystemError, type FileSystem, type WriteLane, type WriteOp } from './file-system.ts'

/**
 * Writes every byte of every op, in order, going on after short counts.
 *
 * At disk-full the kernel returns a short count without an error and a following sync succeeds, so a count is
 * never ignored. @throws {FileSystemError} `ERR_NO_SPACE` when a write makes no progress.
 */
export function writeAll(fs: FileSystem, lane: WriteLane, ops: readonly WriteOp[]): Promise<void> {
  return writeOn(ops, (rest) => fs.writeSome(lane, rest))
}

/** `writeAll`, then `syncFiles` of the files written, in one call of the file system when nothing is short. */
export async function writeAllAndSync(
  fs: FileSystem,
  lane: WriteLane,
  ops: readonly WriteOp[],
): Promise<void> {
  let calls = 0
  await writeOn(ops, (rest) => {
    calls++
    return fs.writeAndSync(lane, rest)
  })
  // The last call synced the files of its own ops only.
  if (calls > 1) await fs.syncFiles([...new Map(ops.map(({ file }) => [file.path, file])).values()])
}

async function writeOn(
  ops: readonly WriteOp[],
  write: (rest: readonly WriteOp[]) => Promise<number[]>,
): Promise<void> {
  let rest = ops
  while (rest.length > 0) {
    const counts = await write(rest)
    const shortIndex = rest.findIndex((op, index) => (counts[index] ?? 0) < op.bytes.byteLength)
    if (shortIndex === -1) return
    const short = rest[shortIndex] as WriteOp
    const written = counts[shortIndex] ?? 0
    if (written === 0) throw new FileSystemError('ERR_NO_SPACE', 'write', short.file.path)
    const tail = { file: short.file, atBytes: short.atBytes + written, bytes: short.bytes.subarray(written) }
    rest = [tail, ...rest.slice(shortIndex + 1)]
  }
}
