import { describe, expect, it } from '@jest/globals'
import { StorageError } from '../../../src/storage/errors.ts'
import type { EntryName } from '../../../src/storage/record.ts'
import type { Finding, VerifyReport } from '../../../src/storage/verify/report.ts'
import { verifyDirectory } from '../../../src/storage/verify/verify-directory.ts'
import { checkSettled } from '../../support/independent/settled-check.ts'
import { readIndex } from '../../support/independent/messages.ts'
import { Random } from '../../support/random.ts'
import { SimulatedDisk } from '../../support/simulated-disk.ts'
import { independentFiles, openStore, write } from '../../support/storage/store.ts'

/**
 * Goal: `verify` says nothing about a sound directory, and names every kind of damage with the right severity.
 * Method: directories of stores that were closed or killed, changed on the simulated disk.
 */

const t0 = 1_750_000_000_000_000
const entry: EntryName = { bucket: 'kafka', entry: 'topic/0' }
const directory = '/data/kafka/topic/0'

/** Two sealed blocks of two records, closed. */
async function closedStore(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 3 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
  await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(entry, t0 + us)) })
  await storage.close()
  return disk
}

/** One sealed block, and an open one of which two records are checkpointed and three groups are in the log only. */
async function killedStore(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 3 })
  const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 3 } })
  await storage.submit({ writes: [0, 1, 2].map((us) => write(entry, t0 + us)) })
  await storage.settle()
  await storage.submit({ writes: [write(entry, t0 + 10)] })
  await storage.checkpoint()
  for (const us of [11, 12, 20]) await storage.submit({ writes: [write(entry, t0 + us)] })
  disk.killProcess()
  return disk
}

const verify = (disk: SimulatedDisk): Promise<VerifyReport> =>
  verifyDirectory(disk.fs, '/data', { checkContent: true })

const short = ({ severity, path, message }: Finding): string =>
  `${severity} ${path.replace('/data/', '')}: ${message}`

/** What people would see, or the error that tells them to stop. */
async function verdict(disk: SimulatedDisk): Promise<readonly string[]> {
  try {
    return (await verify(disk)).findings.map(short)
  } catch (error) {
    if (error instanceof StorageError) return [`${error.code} ${error.message}`]
    throw error
  }
}

describe('verify', () => {
  it('finds nothing in a closed store, and counts what is there', async () => {
    const disk = await closedStore()
    const before = disk.digest()
    const seen: string[] = []
    const report = await verifyDirectory(disk.fs, '/data', {
      checkContent: true,
      visit: ({ timestampUs }) => seen.push(String(timestampUs)),
    })
    const contentBytes = [0, 1, 2, 3].reduce((sum, us) => sum + `content of ${t0 + us}`.length, 0)
    expect(report).toMatchObject({
      findings: [],
      plan: [],
      isLive: false,
      buckets: 1,
      entries: 1,
      blocks: 2,
      records: 4,
      contentBytes,
      contentChecked: 4,
      contentUnchecked: 0,
    })
    expect(seen).toEqual([0, 1, 2, 3].map((us) => String(t0 + us)))
    expect(disk.digest()).toBe(before)
  })

  it('calls a WAL that is not folded and groups behind the checkpoint recoverable, and changes nothing', async () => {
    const disk = await killedStore()
    const before = disk.digest()
    const { findings, plan, records } = await verify(disk)
    expect(findings.map(short)).toEqual([
      'recoverable .sediment/log: 3 groups are not covered by a checkpoint',
      `recoverable kafka/topic/0/.wal/${t0 + 10}.wal: WAL not folded yet`,
      `recoverable kafka/topic/0/.wal/${t0 + 20}.wal: WAL not folded yet`,
    ])
    expect(plan).toEqual([
      expect.stringMatching(/^redo 3 groups of \d+ log bytes$/),
      `bring up to date and keep open kafka/topic/0 block ${t0 + 10}`,
      `bring up to date and keep open kafka/topic/0 block ${t0 + 20}`,
    ])
    expect(records).toBe(7)
    expect(disk.digest()).toBe(before)
  })

  it('does not count an unfinished group at the end of the log as damage', async () => {
    const disk = await closedStore()
    const [path] = disk.paths('/data/.sediment/log') as [string]
    const log = disk.peek(path) as Uint8Array
    disk.putFile(path, Buffer.concat([log, Buffer.from('FDES'), Buffer.alloc(300, 7)]))
    const { findings, plan } = await verify(disk)
    expect(findings).toEqual([])
    expect(plan).toEqual([expect.stringContaining('drop 304 bytes of an unfinished group')])
  })

  it.each<[string, (disk: SimulatedDisk) => void | Promise<void>, readonly string[]]>([
    [
      'a data file that nothing knows',
      (disk) => disk.putFile(`${directory}/5.blk`, Buffer.from('x')),
      ['recoverable kafka/topic/0/5.blk: data file that nothing names: it goes to the quarantine'],
    ],
    [
      'a missing index',
      (disk) => disk.fs.unlink(`${directory}/blocks.idx`),
      [
        'recoverable kafka/topic/0/blocks.idx: index is missing',
        `recoverable kafka/topic/0/${t0}.meta: block is not in the index`,
        `recoverable kafka/topic/0/${t0 + 2}.meta: block is not in the index`,
      ],
    ],
    [
      'an index cut in the middle',
      (disk) => {
        const bytes = disk.peek(`${directory}/blocks.idx`) as Uint8Array
        disk.putFile(`${directory}/blocks.idx`, bytes.subarray(0, bytes.length - 3))
      },
      [
        'recoverable kafka/topic/0/blocks.idx: index is damaged (undecodable)',
        `recoverable kafka/topic/0/${t0}.meta: block is not in the index`,
        `recoverable kafka/topic/0/${t0 + 2}.meta: block is not in the index`,
      ],
    ],
    [
      'a missing data file',
      (disk) => disk.fs.unlink(`${directory}/${t0}.blk`),
      [`damaged kafka/topic/0/${t0}.meta: descriptor without data file`],
    ],
    [
      'a data file that is too short',
      (disk) => {
        const bytes = disk.peek(`${directory}/${t0}.blk`) as Uint8Array
        disk.putFile(`${directory}/${t0}.blk`, bytes.subarray(0, bytes.length - 1))
      },
      [
        `damaged kafka/topic/0/${t0}.blk: 1 record lies beyond the end of the data file`,
        `damaged kafka/topic/0/${t0}.blk: kafka/topic/0 at ${t0 + 1}: data file is too short`,
      ],
    ],
    [
      'a missing checkpoint',
      (disk) => disk.fs.unlink('/data/.sediment/checkpoint'),
      ['damaged .sediment/checkpoint: /data/.sediment/checkpoint is missing'],
    ],
    [
      'a missing log',
      (disk) => disk.fs.removeTree('/data/.sediment/log'),
      ['damaged .sediment: log file 3, which the checkpoint begins with, is missing'],
    ],
  ])('of a closed store, reports %s', async (_, change, expected) => {
    const disk = await closedStore()
    await change(disk)
    expect(await verdict(disk)).toEqual(expected)
  })

  it('finds nothing wrong with the directory that file systems keep in the root of a volume', async () => {
    const disk = await closedStore()
    disk.putDirectory('/data/lost+found')
    expect(await verdict(disk)).toEqual([])
    expect((await openStore(disk.fs)).damaged()).toEqual([])
  })

  it.each<[string, (disk: SimulatedDisk) => void, readonly unknown[]]>([
    [
      'a directory without settings',
      (disk) => disk.putDirectory('/data/found'),
      ['found: directory without bucket.settings: ReductStore does not start'],
    ],
    [
      'files that nobody asks for',
      (disk) => {
        for (const path of ['a.txt', 'kafka/b.txt', 'kafka/topic/0/5.meta.bak', 'kafka/topic/0/.wal/x'])
          disk.putFile(`/data/${path}`, Buffer.from('x'))
        for (const path of ['checkpoint.old', 'log/1.txt'])
          disk.putFile(`/data/.sediment/${path}`, Buffer.from('x'))
      },
      [
        'a.txt: nobody asks for it',
        '.sediment/checkpoint.old: nobody asks for it',
        '.sediment/log/1.txt: nobody asks for it',
        'kafka/b.txt: nobody asks for it',
        'kafka/topic/0/5.meta.bak: nobody asks for it',
        'kafka/topic/0/.wal/x: nobody asks for it',
      ],
    ],
    [
      'what was kept aside, with its reason',
      (disk) => {
        disk.putFile('/data/.sediment/quarantine/2-kafka%2F5.blk', Buffer.from('x'))
        disk.putFile('/data/.sediment/quarantine/2-kafka%2F5.blk.reason', Buffer.from('no block\n'))
      },
      ['.sediment/quarantine/2-kafka%2F5.blk: kept aside: no block'],
    ],
    [
      'the first of many strays',
      (disk) => {
        for (let index = 0; index < 30; index++) disk.putFile(`/data/kafka/stray${index}`, new Uint8Array(0))
      },
      [
        ...Array.from({ length: 20 }, () => expect.stringContaining('kafka/stray')),
        'kafka: 10 more like these',
      ],
    ],
  ])('notes %s, and finds no fault', async (_, change, expected) => {
    const disk = await closedStore()
    change(disk)
    const { findings, notes } = await verify(disk)
    expect(findings).toEqual([])
    expect(notes.map(({ path, message }) => `${path.replace('/data/', '')}: ${message}`)).toEqual(expected)
  })

  it('finds nothing wrong with an empty record behind the end of the data file', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const storage = await openStore(disk.fs)
    await storage.submit({ writes: [write(entry, t0), write(entry, t0 + 1, '')] })
    await storage.removeRecords(entry, [BigInt(t0)])
    await storage.close()
    disk.putFile(`${directory}/${t0}.blk`, new Uint8Array(0))
    expect(await verdict(disk)).toEqual([])
  })

  it('reports a missing descriptor as damage', async () => {
    const disk = await closedStore()
    await disk.fs.unlink(`${directory}/${t0}.meta`)
    expect(await verdict(disk)).toContain(`damaged kafka/topic/0/${t0}.meta: listed block has no descriptor`)
  })

  it('reports the missing data file of a block that is open and checkpointed as damage', async () => {
    const disk = new SimulatedDisk({ seed: 3 })
    const storage = await openStore(disk.fs)
    await storage.submit({ writes: [write(entry, t0)] })
    await storage.checkpoint()
    disk.killProcess()
    await disk.fs.unlink(`${directory}/${t0}.blk`)
    expect((await verdict(disk)).filter((finding) => finding.startsWith('damaged'))).toHaveLength(1)
  })

  it('refuses a directory that is not there', async () => {
    await expect(
      verifyDirectory(new SimulatedDisk().fs, '/data', { checkContent: true }),
    ).rejects.toMatchObject({
      code: 'ERR_NOT_A_STORE',
    })
  })
})

describe('a change of one byte', () => {
  /** Findings and what could be read: a WAL that ends early is sound, but shows less. */
  const outcome = async (disk: SimulatedDisk): Promise<string> => {
    try {
      const { findings, records } = await verify(disk)
      return JSON.stringify([findings.map(short), records])
    } catch (error) {
      if (error instanceof StorageError) return error.code
      throw error
    }
  }

  /** Every byte of one file inverted in turn: how `verify` and the independent checker answer. */
  async function invertEach(
    make: () => Promise<SimulatedDisk>,
    path: string,
  ): Promise<{ unnoticed: number[]; noticedByChecker: number; bytes: Uint8Array }> {
    const disk = await make()
    const bytes = disk.peek(path) as Uint8Array
    const sound = await outcome(disk)
    const soundCheck = JSON.stringify(checkSettled(await independentFiles(disk.fs)))
    const unnoticed: number[] = []
    let noticedByChecker = 0
    for (let at = 0; at < bytes.length; at++) {
      const changed = new Uint8Array(bytes)
      changed[at] = (bytes[at] as number) ^ 0xff
      disk.putFile(path, changed)
      const isChecked = JSON.stringify(checkSettled(await independentFiles(disk.fs))) !== soundCheck
      if (isChecked) noticedByChecker += 1
      if ((await outcome(disk)) === sound) unnoticed.push(at)
    }
    return { unnoticed, noticedByChecker, bytes }
  }

  it.each([`${directory}/${t0}.blk`, `${directory}/${t0}.meta`])(
    'anywhere in %s is found by verify, and by the independent checker',
    async (path) => {
      const { unnoticed, noticedByChecker, bytes } = await invertEach(closedStore, path)
      expect(unnoticed).toEqual([])
      expect(noticedByChecker).toBe(bytes.length)
    },
  )

  it('anywhere in the index is found by verify, unless it says the same all the same', async () => {
    const path = `${directory}/blocks.idx`
    const { unnoticed, noticedByChecker, bytes } = await invertEach(closedStore, path)
    const meaning = ({ blocks, crc64 }: ReturnType<typeof readIndex>): unknown => [blocks, crc64]
    for (const at of unnoticed) {
      const changed = new Uint8Array(bytes)
      changed[at] = (bytes[at] as number) ^ 0xff
      // A checksum that a later append has replaced.
      expect(meaning(readIndex(changed))).toEqual(meaning(readIndex(bytes)))
    }
    expect(noticedByChecker).toBe(bytes.length - unnoticed.length)
  })

  it.each([`${directory}/.wal/${t0 + 10}.wal`, `${directory}/.wal/${t0 + 20}.wal`])(
    'anywhere in %s is found by verify',
    async (path) => {
      expect((await invertEach(killedStore, path)).unnoticed).toEqual([])
    },
  )

  it('anywhere in the checkpoint is found by verify', async () => {
    expect((await invertEach(closedStore, '/data/.sediment/checkpoint')).unnoticed).toEqual([])
  })

  it('anywhere in the format file is found by verify', async () => {
    const { unnoticed, bytes } = await invertEach(closedStore, '/data/.sediment/format')
    // Only the line end carries no meaning.
    expect(unnoticed.filter((at) => at !== bytes.length - 1)).toEqual([])
  })

  it.each(['/data/kafka/bucket.settings', '/data/kafka/.folder', '/data/.folder', '/data/.sediment/format'])(
    'of a single bit in %s is found by verify, unless it says the same all the same',
    async (path) => {
      const disk = await closedStore()
      const bytes = disk.peek(path) as Uint8Array
      const sound = await outcome(disk)
      const unnoticed: number[] = []
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = new Uint8Array(bytes)
        changed[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
        disk.putFile(path, changed)
        if ((await outcome(disk)) === sound) unnoticed.push(bit >> 3)
      }
      const isSettings = path.endsWith('settings')
      // The tag of the checksum, which then is a field that nobody knows, and white space.
      const harmless = isSettings ? [bytes.length - 6, bytes.length - 5] : [bytes.length - 1]
      const meant = path.endsWith('.folder') ? unnoticed : unnoticed.filter((at) => !harmless.includes(at))
      expect(meant).toEqual([])
    },
  )

  it('in the owner file neither stops the store nor lends it to another', async () => {
    const disk = await closedStore()
    const text = Buffer.from(disk.peek('/data/.sediment/owner') as Uint8Array).toString()
    for (const wrong of [
      text.replace('generation', 'genaration'),
      text.replace(/:\d+/, ':"x"'),
      '{}',
      'null',
    ]) {
      disk.putFile('/data/.sediment/owner', Buffer.from(wrong))
      const storage = await openStore(disk.fs)
      await storage.submit({ writes: [write(entry, t0 + 1_000_000)] })
      await storage.checkpoint()
      await storage.close()
    }
    expect(await verdict(disk)).toEqual([])
  })
})

describe('a bucket without its settings', () => {
  it('is damage, and none to a start: its records are shown', async () => {
    const disk = await closedStore()
    await disk.fs.unlink('/data/kafka/bucket.settings')
    expect((await verdict(disk)).some((finding) => finding.startsWith('damaged'))).toBe(true)
    const storage = await openStore(disk.fs)
    expect((await storage.entries()).map(({ recordCount }) => recordCount)).toEqual([4])
    expect(storage.damaged()).toMatchObject([
      { bucket: 'kafka', error: { message: expect.stringContaining('put it back') as unknown } },
    ])
    await storage.close()
  })
})

describe('a change of one byte in the log', () => {
  it('anywhere in an acknowledged group of the log, or in the header above it, is damage', async () => {
    const disk = await killedStore()
    const [path] = disk.paths('/data/.sediment/log').slice(-1) as [string]
    const log = disk.peek(path) as Uint8Array
    // The last of the three groups has no later one that proves it acknowledged.
    const lastFrame = Buffer.from(log).lastIndexOf('SEDF')
    const meaningful = [...log.keys()].filter((at) => log[at] !== 0)
    const missed: number[] = []
    for (const at of meaningful) {
      const changed = new Uint8Array(log)
      changed[at] = (log[at] as number) ^ 0xff
      disk.putFile(path, changed)
      if (!(await verdict(disk)).some((finding) => finding.startsWith('damaged'))) missed.push(at)
    }
    disk.putFile(path, log)
    expect(missed.filter((at) => at < lastFrame)).toEqual([])
  })
})

describe('after a power cut, verify', () => {
  it('calls nothing damaged, since the next open mends everything', async () => {
    let images = 0
    for (let seed = 1; seed <= 8; seed++) {
      const disk = new SimulatedDisk({ seed })
      const random = new Random(seed)
      const setup = {
        settings: { blockRecordsMax: 4 },
        limits: { directBytesMin: 150, readCacheBytesMax: 2000 },
      }
      const storage = await openStore(disk.fs, setup)
      for (let round = 0; round < 10; round++) {
        const writes = [0, 1].map(() => write(entry, t0 + random.below(40), 'x'.repeat(random.below(200))))
        await storage.submit({ writes })
        if (random.chance(0.2)) await storage.fold(entry, Number((await storage.entries())[0]?.oldestUs))
        if (random.chance(0.1)) await storage.settle()
        if (random.chance(0.1)) await storage.checkpoint()
        for (let cut = 0; cut < 2; cut++) {
          const image = disk.fork()
          image.cutPower({ seed: random.seed() })
          const findings = await verdict(image)
          expect([
            seed,
            round,
            cut,
            findings.filter((finding) => !finding.startsWith('recoverable')),
          ]).toEqual([seed, round, cut, []])
          const again = await openStore(image.fs, setup)
          await again.close()
          expect([seed, round, cut, await verdict(image)]).toEqual([seed, round, cut, []])
          images += 1
        }
      }
      await storage.close()
    }
    expect(images).toBe(8 * 10 * 2)
  })
})

describe('beside a live writer, verify', () => {
  it('does not take an entry for damaged that never holds still', async () => {
    const disk = new SimulatedDisk({ seed: 8 })
    const storage = await openStore(disk.fs)
    const still = { bucket: 'kafka', entry: 'still' }
    await storage.submit({ writes: [write(entry, t0), write(still, t0)] })
    await storage.settle()
    const other = disk.attach()
    const readFile = other.readFile.bind(other)
    let reads = 0
    other.readFile = async (path) => {
      const bytes = await readFile(path)
      if (path !== `${directory}/blocks.idx` || bytes === undefined) return bytes
      reads += 1
      // A field that nobody knows, with another value each time.
      return Buffer.concat([bytes, Buffer.from([0x98, 0x06, reads % 128])])
    }
    let pauses = 0
    const clock = { sleep: () => Promise.resolve(void pauses++) }
    const report = await verifyDirectory(other, '/data', { checkContent: true, clock })
    expect(report).toMatchObject({ isLive: true, findings: [], entries: 2, records: 1 })
    expect(report.notes).toEqual([
      { path: directory, message: expect.stringContaining('not checked: kafka/topic/0') },
    ])
    expect(pauses).toBeGreaterThan(50)
    await storage.close()
  })

  it('leaves out what is open and finds nothing', async () => {
    const disk = new SimulatedDisk({ seed: 8 })
    const storage = await openStore(disk.fs, { settings: { blockRecordsMax: 2 } })
    await storage.submit({ writes: [0, 1, 2, 3].map((us) => write(entry, t0 + us)) })
    await storage.fold(entry, t0)
    const report = await verifyDirectory(disk.attach(), '/data', { checkContent: true })
    expect(report).toMatchObject({ isLive: true, findings: [], plan: [], blocks: 1, records: 2 })
    await storage.close()
  })

  it('finds nothing while records, folds and checkpoints go on', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const disk = new SimulatedDisk({ seed })
      const random = new Random(seed)
      const storage = await openStore(disk.fs, {
        settings: { blockRecordsMax: 4 },
        limits: { directBytesMin: 100 },
      })
      let isWriting = true
      const writer = async (): Promise<void> => {
        for (let round = 0; round < 40; round++) {
          const us = t0 + random.below(40)
          await storage.submit({ writes: [write(entry, us, 'x'.repeat(random.below(200)))] })
          if (random.chance(0.3)) await storage.settle()
          if (random.chance(0.2)) await storage.checkpoint()
        }
        isWriting = false
      }
      const writing = writer()
      const other = disk.attach()
      let passes = 0
      while (isWriting) {
        const { findings, isLive } = await verifyDirectory(other, '/data', { checkContent: true })
        expect([seed, isLive, findings]).toEqual([seed, true, []])
        passes += 1
      }
      expect(passes).toBeGreaterThan(0)
      await writing
      await storage.close()
    }
  })
})
