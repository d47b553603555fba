import { cp, mkdtemp, open, readFile, readdir, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { createMapper } from '../../src/mapping/mapper.ts'
import type { RecordWrite } from '../../src/storage/index.ts'
import { sediment, type Ran } from '../support/cli/run-command.ts'
import { openStore } from '../support/storage/store.ts'

/**
 * Goal: an operator sees what a repair would do before it does anything, and gets a directory that opens, with all that can
 * be relied on, nothing deleted, and the exit code that the directory deserves.
 * Method: copies of a store as a kill leaves it, damaged on the real disk, and the command lines that a person would type.
 */

const T0_MS = 1_750_000_000_000
const mapper = createMapper([defaultRule])
let above: string
let killed: string
let data: string

function recordOf(topic: string, offset: number): RecordWrite {
  const message = {
    offset,
    timestampMs: T0_MS + offset,
    key: null,
    value: Buffer.from(`${topic} ${offset}`),
    headers: [],
  }
  const mapped = mapper.forPartition(topic, 0)?.map(message, T0_MS)
  if (mapped === undefined || !('target' in mapped)) throw new Error('rejected')
  return mapped
}

/** Two topics of 10 records each: a sealed block, and an open one that only the log has whole. */
beforeAll(async () => {
  above = await mkdtemp(join(tmpdir(), 'sediment-repair-'))
  killed = join(above, 'killed')
  data = join(above, 'data')
  const fs = await NodeFileSystem.open()
  const companion = new OffsetLedger()
  const storage = await openStore(fs, { dataPath: data, companion, settings: { blockRecordsMax: 4 } })
  await storage.claim('cluster', 'group')
  const store = async (fromOffset: number, nextOffset: number): Promise<void> => {
    for (const topic of ['hurt', 'sound']) {
      const offsets = Array.from({ length: nextOffset - fromOffset }, (_, index) => fromOffset + index)
      const step = { topic, partition: 0, fromOffset, nextOffset, records: offsets.length, gaps: [] }
      const writes = offsets.map((offset) => recordOf(topic, offset))
      await storage.submit({ writes, delta: encodeDelta('cluster', [step]) })
    }
  }
  await store(0, 6)
  await storage.settle()
  await storage.checkpoint()
  await store(6, 10)
  await cp(data, killed, { recursive: true })
  await storage.close()
  await fs.close()
  await rm(data, { recursive: true })
})
afterAll(() => rm(above, { recursive: true }))
afterEach(() => rm(data, { recursive: true, force: true }))

const pathOf = (name: string): string => join(data, name)
const blockOf = (offset: number, suffix: string): string =>
  pathOf(`kafka/hurt/0/${(T0_MS + offset) * 1000}.${suffix}`)

async function flip(path: string, atBytes: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, atBytes)
  await file.write(Buffer.of((byte[0] as number) ^ 0x10), 0, 1, atBytes)
  await file.close()
}

async function damaged(damage: () => Promise<void>): Promise<void> {
  await cp(killed, data, { recursive: true })
  await damage()
}

/** Every file with its content, but for the lock and who looked last. */
async function files(): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const item of await readdir(data, { recursive: true, withFileTypes: true })) {
    if (!item.isFile() || ['lock', 'owner'].includes(item.name)) continue
    const path = join(item.parentPath, item.name)
    found[path.slice(data.length + 1)] = (await readFile(path)).toString('latin1')
  }
  return found
}

const quarantined = async (): Promise<string[]> =>
  Object.keys(await files())
    .filter((path) => path.startsWith('.sediment/quarantine/'))
    .map((path) => decodeURIComponent(path.slice('.sediment/quarantine/'.length)))

const repair = (...args: string[]): Promise<Ran> => sediment('repair', '--data', data, ...args)
const countOf = async (topic: string): Promise<number> =>
  (await sediment('query', `kafka/${topic}/0`, '--data', data, '--json')).out.split('\n').length - 1

describe('sediment repair', () => {
  it('has nothing to do with a store that was only killed', async () => {
    await damaged(() => Promise.resolve())
    const before = await files()
    for (const args of [[], ['--apply'], ['--rebuild-ledger', '--apply']]) {
      const { code, out } = await repair(...args)
      expect({ args, code }).toEqual({ args, code: 1 })
      expect(out).toContain('nothing to repair')
    }
    expect(await files()).toEqual(before)
  })

  it('shows what it would do to a damaged block and changes nothing; does it with --apply', async () => {
    await damaged(() => writeFile(blockOf(4, 'meta'), 'garbage'))
    const before = await files()
    const shown = await repair()
    expect(shown.code).toBe(6)
    expect(shown.out).toMatch(/a repair would redo.*\n.*quarantine/)
    expect(shown.out).toContain('Copy the directory first; then add --apply.')
    expect(shown.out).toMatch(/damaged: .*hurt\/0.*block/)
    expect(await files()).toEqual(before)

    const done = await repair('--apply')
    expect(done.out).toMatch(/done: keep what can be read of kafka\/hurt\/0 block/)
    expect(done.out).toMatch(/files kept aside in \.sediment\/quarantine, each with its reason/)
    // What only the rotten descriptor had is gone, and said so; what the log had is there.
    expect(done.code).toBe(6)
    expect(done.out).toContain('hurt/0: 2 offsets (4–5) are acknowledged and not there')
    expect(done.out).toContain('sediment repair --rebuild-ledger')
    expect([await countOf('hurt'), await countOf('sound')]).toEqual([8, 10])
    const names = await quarantined()
    expect(names.filter((name) => name.endsWith('.meta'))).toHaveLength(1)
    expect(names.filter((name) => name.endsWith('.reason')).length * 2).toBe(names.length)

    const rebuilt = await repair('--rebuild-ledger', '--apply')
    expect(rebuilt.out).toContain('ledger: hurt/0 is now next 10, 8 stored, 2 unknown (4–5)')
    expect(rebuilt.code).toBe(0)
    expect((await sediment('verify', '--data', data)).code).toBe(0)
  })

  it('warns that offsets are lost with a damaged checkpoint, and makes them anew from the records', async () => {
    await damaged(() => flip(pathOf('.sediment/checkpoint'), 40))
    expect((await repair()).out).toMatch(/ledger of offsets is in it: without --rebuild-ledger/)
    const shown = await repair('--rebuild-ledger')
    expect(shown.out).toContain('ledger: hurt/0 would become next 10, 10 stored')
    expect(shown.code).toBe(6)
    const done = await repair('--rebuild-ledger', '--apply')
    expect(done.out).toContain('ledger: sound/0 is now next 10, 10 stored')
    expect(done.code).toBe(0)
    expect([await countOf('hurt'), await countOf('sound')]).toEqual([10, 10])
  })

  it('gives a bucket with damaged settings those of a new one', async () => {
    await damaged(() => writeFile(pathOf('kafka/bucket.settings'), 'garbage'))
    expect((await repair('--apply')).code).toBe(0)
    expect(await quarantined()).toContain('2-kafka/bucket.settings')
    expect(await countOf('hurt')).toBe(10)
  })

  it('loses nothing where the log has everything that a removed write-ahead log had', async () => {
    await damaged(async () => {
      for (const name of await readdir(pathOf('kafka/hurt/0/.wal')))
        await unlink(pathOf(`kafka/hurt/0/.wal/${name}`))
    })
    expect((await repair()).code).toBe(1)
    expect(await countOf('hurt')).toBeLessThan(10)
    expect((await sediment('settle', '--data', data)).code).toBe(0)
    expect(await countOf('hurt')).toBe(10)
  })

  it('says everything as one JSON object, before and after', async () => {
    await damaged(() => writeFile(blockOf(4, 'meta'), 'garbage'))
    const shown = JSON.parse((await repair('--rebuild-ledger', '--json')).out) as Record<string, unknown>
    expect(shown).toMatchObject({ dataPath: data, ledgerRebuild: { isApplied: false } })
    expect(shown['repaired']).toBeUndefined()
    const { out, code } = await repair('--rebuild-ledger', '--apply', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      repaired: { steps: expect.arrayContaining(['take over every block by itself']) as unknown },
      ledgerRebuild: { isApplied: true, changes: [{ before: { records: 10 }, after: { records: 8 } }] },
      findings: [],
    })
  })

  it('does not touch a store in use', async () => {
    await damaged(() => flip(blockOf(0, 'meta'), 20))
    const fs = await NodeFileSystem.open()
    const lock = await fs.lock(pathOf('.sediment/lock'))
    try {
      const before = await files()
      const { code, errors } = await repair('--apply')
      expect({ code, errors }).toEqual({
        code: 5,
        errors: [expect.stringMatching(/is in use by .*: stop it/)],
      })
      expect(await files()).toEqual(before)
    } finally {
      await lock?.release()
      await fs.close()
    }
  })

  it('says what to do where the format file itself is damaged, and leaves everything as it is', async () => {
    await damaged(() => flip(pathOf('.sediment/format'), 12))
    const before = await files()
    const { code, out } = await repair('--apply')
    expect(code).toBe(6)
    expect(out).toMatch(/\.sediment\/format is damaged: .* Put back a copy of it/)
    expect(await files()).toEqual(before)
  })

  it('refuses what is no store', async () => {
    expect((await repair()).code).toBe(2)
    expect((await sediment('repair', '--data', tmpdir(), '--apply')).code).toBe(2)
  })
})
