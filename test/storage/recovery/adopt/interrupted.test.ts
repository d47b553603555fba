import { describe, expect, it } from '@jest/globals'
import type { FileSystem } from '../../../../src/fs/file-system.ts'
import { openDirectory } from '../../../../src/storage/query/directory-reader.ts'
import { goldenManifests } from '../../../support/golden.ts'
import { checkSettled } from '../../../support/independent/settled-check.ts'
import { contentsOf, recoverableContents } from '../../../support/storage/contents.ts'
import { goldenDisk } from '../../../support/storage/golden-disk.ts'
import { independentFiles, openStore } from '../../../support/storage/store.ts'

/**
 * Goal: adoption may be interrupted at any moment, by a kill or a power cut, and the next start shows the same.
 * Method: golden directories on the simulated disk, one crash before each change of the disk, a kill or a power
 * cut; a second one in the start after it, at a place that the seed chooses.
 */

const CASES = [
  'empty-meta',
  'killed-block-removal-blk-gone',
  'killed-dirty-blocks',
  'killed-removal-after-rename',
  'killed-removal-before-rename',
  'killed-removal-before-unlink',
  'killed-save-descriptor-extended',
  'late-overlap',
  'legacy-wal-folder',
  'missing-blk',
  'missing-meta',
  'orphan-blk',
  'short-blk',
  'started-record-hole',
  'torn-wal-tail',
  'truncated-meta',
]

describe('an adoption that is interrupted', () => {
  it.each(CASES.map((name) => [name]))('%s shows the same at the next start', async (name) => {
    const expected = recoverableContents(goldenManifests().find((one) => one.name === name)!.recoverable!)
    const disk = await goldenDisk(name)

    let crashes = 0
    for (let operation = 1; ; operation++) {
      const image = disk.fork(operation)
      image.crashAt(image.operations + operation)
      if (await opensAndCloses(image.fs)) break
      crashes += 1
      const cut = image.fork(operation)
      const isKilled = operation % 3 === 0
      if (isKilled) cut.killProcess()
      else cut.cutPower({ seed: operation })
      cut.restart()
      cut.crashAt(cut.operations + 1 + ((operation * 7) % 23))
      await opensAndCloses(cut.fs)
      cut.crashAt(undefined)
      cut.cutPower({ seed: operation + 1 })
      const fs = cut.restart()
      const where = { name, operation, isKilled }
      const storage = await openStore(fs)
      expect({ where, shown: await contentsOf(storage) }).toEqual({ where, shown: expected })
      await storage.close()
      expect({ where, shown: await contentsOf(await openDirectory(fs, '/data')) }).toEqual({
        where,
        shown: expected,
      })
      expect({ where, breaches: checkSettled(await independentFiles(fs)) }).toEqual({ where, breaches: [] })
    }
    expect(crashes).toBeGreaterThan(20)
  })
})

async function opensAndCloses(fs: FileSystem): Promise<boolean> {
  try {
    await (await openStore(fs)).close()
    return true
  } catch {
    return false
  }
}
