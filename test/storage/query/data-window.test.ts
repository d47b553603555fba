import { describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../src/fs/file-system.ts'
import { writeAll } from '../../../src/fs/write-all.ts'
import { DataWindow } from '../../../src/storage/query/data-window.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'

const KIB = 1024
const fileBytes = 3 * 1024 * KIB + 77
const path = '/data'

/** A file whose byte at `n` tells `n`, how often it was read, and a window on it. */
async function opened(): Promise<{ window: DataWindow; reads: () => number; bytes: Uint8Array }> {
  const { fs } = new SimulatedDisk({ seed: 4 })
  const bytes = Uint8Array.from({ length: fileBytes }, (_, at) => (at * 31 + (at >> 8)) & 0xff)
  await writeAll(fs, 'projection', [{ file: { path, kind: 'data' }, atBytes: 0, bytes }])
  let reads = 0
  const counting: Pick<FileSystem, 'read'> = {
    read: (...range) => {
      reads += 1
      return fs.read(...range)
    },
  }
  return { window: new DataWindow(counting as FileSystem, path), reads: () => reads, bytes }
}

describe('DataWindow', () => {
  it('gives the bytes of any range, and what there is at the end of the file', async () => {
    const { window, bytes } = await opened()
    const random = new Random(9)
    for (let round = 0; round < 300; round++) {
      const atBytes = random.between(0, fileBytes - 1)
      const lengthBytes = random.between(0, round % 10 === 0 ? 600 * KIB : 3 * KIB)
      const read = await window.read(atBytes, lengthBytes)
      expect(Buffer.compare(read, bytes.subarray(atBytes, atBytes + lengthBytes))).toBe(0)
    }
  })

  it('reads each part of the file once when records alternate between eight places', async () => {
    const { window, reads } = await opened()
    for (let step = 0; step < 256; step++) {
      for (let place = 7; place >= 0; place--) await window.read(place * 256 * KIB + step * KIB, KIB)
    }
    expect(reads()).toBe(8)
  })

  it('reads a file in order by few calls, whether or not records end where a window does', async () => {
    for (const recordBytes of [KIB, 100 * KIB, 1000]) {
      const { window, reads, bytes } = await opened()
      for (let atBytes = 0; atBytes < fileBytes; atBytes += recordBytes) {
        const read = await window.read(atBytes, recordBytes)
        expect(Buffer.compare(read, bytes.subarray(atBytes, atBytes + recordBytes))).toBe(0)
      }
      expect(reads()).toBe(4)
    }
  })

  it('reports that a read failed to whoever comes to its place', async () => {
    const { fs } = new SimulatedDisk({ seed: 4 })
    const file = { path, kind: 'data' } as const
    await writeAll(fs, 'projection', [{ file, atBytes: 0, bytes: new Uint8Array(fileBytes) }])
    const failing: Pick<FileSystem, 'read'> = {
      read: (at, from, length) =>
        from < 1280 * KIB ? fs.read(at, from, length) : Promise.reject(new Error(`no byte ${from}`)),
    }
    const window = new DataWindow(failing as FileSystem, path)
    for (let atBytes = 0; atBytes < 1280 * KIB; atBytes += 64 * KIB) await window.read(atBytes, 64 * KIB)
    await expect(window.read(1280 * KIB, KIB)).rejects.toThrow(`no byte ${1280 * KIB}`)
  })

  it('gives copies: what a caller changes is not read again', async () => {
    const { window } = await opened()
    const first = await window.read(10, 4)
    const kept = Array.from(first)
    first.fill(0)
    expect(Array.from(await window.read(10, 4))).toEqual(kept)
  })
})
