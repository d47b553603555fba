import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import type { EntryName } from '../../src/storage/index.ts'
import { sediment, type Ran } from '../support/cli/run-command.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore, write } from '../support/storage/store.ts'

/** Goal: buckets, entries and records are changed by commands, on a real disk. Method: one directory, one story. */

const t0 = 1_750_000_000_000_000
const orders: EntryName = { bucket: 'kafka', entry: 'orders/0' }
let root: string
let data: string

const run = (...args: string[]): Promise<Ran> => sediment(...args, '--data', data)

async function times(entry: string, ...more: string[]): Promise<number[]> {
  const { out } = await run('query', entry, '--json', ...more)
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { timestampUs: number }).timestampUs - t0)
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-cli-'))
  data = join(root, 'data')
  const fs = await NodeFileSystem.open()
  const storage = await openStore(fs, { dataPath: data, clock: realClock, settings: { blockRecordsMax: 4 } })
  const writes = Array.from({ length: 10 }, (_, index) =>
    write(orders, t0 + index, `content ${index}`, ['site', index % 2 === 0 ? 'a' : 'b']),
  )
  await storage.submit({ writes })
  await storage.close()
  await fs.close()
})

afterAll(() => rm(root, { recursive: true, force: true }))

describe('records', () => {
  it('are not removed without saying which, nor without --yes', async () => {
    expect(await run('record', 'rm', 'kafka/orders/0', '--yes')).toMatchObject({ code: 2 })
    const asked = await run('record', 'rm', 'kafka/orders/0', '--label', 'site=b')
    expect(asked).toMatchObject({ code: 2 })
    expect(asked.errors[0]).toMatch(/^5 records of kafka\/orders\/0 would go/)
    expect(await times('kafka/orders/0')).toHaveLength(10)
  })

  it('are removed by label and time', async () => {
    const range = ['--start', String(t0 + 2), '--stop', String(t0 + 8)]
    const removed = await run('record', 'rm', 'kafka/orders/0', '--label', 'site=b', ...range, '--yes')
    expect(removed).toMatchObject({ code: 0, errors: ['3 records of kafka/orders/0 are removed'] })
    expect(await times('kafka/orders/0')).toEqual([0, 1, 2, 4, 6, 8, 9])
  })

  it('get other labels', async () => {
    const labelled = await run('record', 'label', 'kafka/orders/0', String(t0 + 4), 'site=', 'checked=yes')
    expect(labelled).toMatchObject({ code: 0 })
    expect(await times('kafka/orders/0', '--label', 'checked=yes')).toEqual([4])
    expect(await times('kafka/orders/0', '--label', 'site=a')).toEqual([0, 2, 6, 8])
    const missing = await run('record', 'label', 'kafka/orders/0', String(t0 + 5), 'checked=yes')
    expect(missing.code).toBe(2)
    expect(missing.errors.join()).toMatch(/no record at/)
  })
})

describe('entries and buckets', () => {
  it('are made, shown, limited, renamed and removed', async () => {
    expect(await run('bucket', 'create', 'archive', '--quota', 'fifo:1GB')).toMatchObject({ code: 0 })
    expect(await run('bucket', 'set', 'archive', '--quota', 'hard:2GB')).toMatchObject({ code: 0 })
    const shown = JSON.parse((await run('bucket', 'show', 'archive', '--json')).out) as object
    expect(shown).toMatchObject({ bucket: 'archive', quota: { kind: 'hard' } })
    expect(await run('entry', 'rename', 'kafka/orders', 'old/orders')).toMatchObject({ code: 0 })
    expect(await times('kafka/old/orders/0')).toEqual([0, 1, 2, 4, 6, 8, 9])
    expect(await run('bucket', 'rename', 'kafka', 'topics')).toMatchObject({ code: 0 })
    expect(await run('bucket', 'rm', 'topics')).toMatchObject({ code: 2 })
    expect(await times('topics/old/orders/0')).toHaveLength(7)
    expect(await run('entry', 'rm', 'topics/old', '--yes')).toMatchObject({ code: 0 })
    expect(await run('bucket', 'rm', 'topics', '--yes')).toMatchObject({ code: 0 })
    expect((await run('bucket', 'ls', '--json')).out).toMatch(/^\{"bucket":"archive"/)
    expect(await run('verify')).toMatchObject({ code: 0 })
    expect(await run('repair')).toMatchObject({ code: 0 })
  })
})
