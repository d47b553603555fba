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
      expect(Buffer.from(await window.read(atBytes, lengthBytes))).toEqual(
        Buffer.from(bytes.subarray(atBytes, atBytes + lengthBytes)),
      )
    }
  })

  it('reads each part of the file once when records alternate between eight places', async () => {
    const { window, reads } = await opened()
    for (let step = 0; step < 256; step++) {
      for (let place = 0; place < 8; place++) await window.read(place * 256 * KIB + step * KIB, KIB)
    }
    expect(reads()).toBe(8)
  })

  it('gives copies: what a caller changes is not read again', async () => {
    const { window } = await opened()
    const first = await window.read(10, 4)
    const kept = Array.from(first)
    first.fill(0)
    expect(Array.from(await window.read(10, 4))).toEqual(kept)
  })
})
