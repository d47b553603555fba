import { describe, expect, it } from '@jest/globals'
import { openDirectory } from '../../../../src/storage/query/directory-reader.ts'
import type { Storage } from '../../../../src/storage/storage.ts'
import { verifyDirectory } from '../../../../src/storage/verify/verify-directory.ts'
import { goldenManifests } from '../../../support/golden.ts'
import type { SimulatedDisk } from '../../../support/simulated-disk.ts'
import { contentsOf, recoverableContents } from '../../../support/storage/contents.ts'
import { goldenDisk } from '../../../support/storage/golden-disk.ts'
import { openStore, write } from '../../../support/storage/store.ts'

/**
 * Goal: what cannot be read of a directory that ReductStore left harms its bucket or entry only, is left as it is, and is
 * taken over by a later start that can read it, with all that a perfect recovery shows.
 * Method: golden directories on the simulated disk; each directory and file in turn cannot be read by the first start.
 */

const CASES = [
  'attachments',
  'empty-index-with-descriptors',
  'killed-dirty-blocks',
  'killed-removal-after-rename',
  'killed-save-descriptor-extended',
  'late-overlap',
  'legacy-wal-folder',
  'nested-entries',
  'started-record-hole',
  'torn-wal-tail',
]

const expectedOf = (name: string): ReturnType<typeof recoverableContents> =>
  recoverableContents(goldenManifests().find((one) => one.name === name)!.recoverable!)

/** Everything below the root, directories included. */
function placesOf(disk: SimulatedDisk): string[] {
  const places = new Set<string>()
  for (const path of disk.paths('/data'))
    for (let at = path; at.length > '/data'.length; at = at.slice(0, at.lastIndexOf('/'))) places.add(at)
  return [...places].filter((path) => !path.slice('/data/'.length).startsWith('.')).sort()
}

function makeUnreadable(disk: SimulatedDisk, path: string): void {
  for (const call of ['read', 'list', 'fileBytes'] as const) disk.failNext(call, { path, times: Infinity })
}

async function damagedOf(storage: Storage): Promise<string[]> {
  const places: string[] = []
  await storage.entries({
    attachments: true,
    onDamaged: ({ bucket, entry }) => places.push(entry === undefined ? bucket : `${bucket}/${entry}`),
  })
  return places
}

describe.each(CASES.map((name) => [name]))('taking over %s where a place cannot be read', (name) => {
  it('takes everything else, and that place when it can be read', async () => {
    const golden = await goldenDisk(name)
    // A bucket that shows what this directory is, whatever else cannot be read.
    golden.putFile('/data/other/bucket.settings', golden.peek('/data/b/bucket.settings')!)
    const expected = expectedOf(name)
    const sound = { bucket: 'fresh', entry: 'topic/0' }
    let harmed = 0
    for (const path of placesOf(golden)) {
      const disk = golden.fork(7)
      makeUnreadable(disk, path)
      const first = await openStore(disk.fs)
      const damaged = await damagedOf(first)
      harmed += damaged.length
      const isOfPath = (place: string): boolean => `${path}/`.startsWith(`/data/${place}/`)
      expect({ path, others: damaged.filter((place) => !isOfPath(place)) }).toEqual({ path, others: [] })
      const shown = await contentsOf(first, () => undefined)
      for (const [entry, records] of Object.entries(expected)) {
        const isHarmed = damaged.some((place) => `${entry}/`.startsWith(`${place}/`))
        if (!isHarmed) expect({ path, entry, records: shown[entry] }).toEqual({ path, entry, records })
      }
      await first.submit({ writes: [write(sound, 1_750_000_000_000_000)] })
      await first.close()

      disk.clearFailures()
      const second = await openStore(disk.restart())
      expect({ path, damaged: await damagedOf(second) }).toEqual({ path, damaged: [] })
      const { 'fresh/topic/0': fresh, ...contents } = await contentsOf(second)
      expect({ path, contents, fresh: fresh?.length }).toEqual({ path, contents: expected, fresh: 1 })
      await second.close()
      const { 'fresh/topic/0': _fresh, ...read } = await contentsOf(await openDirectory(disk.fs, '/data'))
      expect({ path, read }).toEqual({ path, read: expected })
      const { findings } = await verifyDirectory(disk.fs, '/data', { checkContent: true })
      expect({ path, findings: findings.filter(({ severity }) => severity === 'damaged') }).toEqual({
        path,
        findings: [],
      })
    }
    expect(harmed).toBeGreaterThan(0)
  })
})
