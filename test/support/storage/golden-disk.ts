import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { unpackGolden } from '../golden.ts'
import { SimulatedDisk } from '../simulated-disk.ts'

/** A golden directory as `/data` of a simulated disk. */
export async function goldenDisk(name: string, seed = 41): Promise<SimulatedDisk> {
  const source = await unpackGolden(name)
  const disk = new SimulatedDisk({ seed })
  fill(disk, source)
  rmSync(source, { recursive: true })
  return disk
}

/** Puts a directory on the disk, durably, as `/data`. */
function fill(disk: SimulatedDisk, source: string): void {
  disk.putDirectory('/data')
  for (const item of readdirSync(source, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name)
    const target = `/data${path.slice(source.length)}`
    if (item.isDirectory()) disk.putDirectory(target)
  }
  for (const item of readdirSync(source, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name)
    if (item.isFile()) disk.putFile(`/data${path.slice(source.length)}`, withoutTail(readFileSync(path)))
  }
}

/** WALs are mostly zeros: a few of them are enough. */
function withoutTail(bytes: Buffer): Uint8Array {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return new Uint8Array(bytes.subarray(0, bytes.length > 100_000 ? end + 64 : bytes.length))
}
