import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import type { Gap } from '../../src/ledger/gap.ts'
import { encodeDelta } from '../../src/ledger/ledger-codec.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import { sediment, type Ran } from '../support/cli/run-command.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore } from '../support/storage/store.ts'

/** Goal: gaps and holds are seen and accepted by commands, on a real disk. Method: one directory, one story. */

let root: string
let data: string
let fs: NodeFileSystem

const run = (...args: string[]): Promise<Ran> => sediment(...args, '--data', data)
const rows = async (): Promise<Record<string, unknown>[]> =>
  (await run('gaps', 'orders', '--json')).out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** Every second offset of a topic is a gap. */
const many = (index: number): Gap => ({
  class: index % 3 === 0 ? 'filtered' : 'control',
  fromOffset: 2 * index,
  nextOffset: 2 * index + 1,
})

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-gaps-'))
  data = join(root, 'data')
  fs = await NodeFileSystem.open()
  const storage = await openStore(fs, { dataPath: data, clock: realClock, companion: new OffsetLedger() })
  await storage.claim('cluster-1', 'group-1')
  const step = { topic: 'orders', fromOffset: 0, nextOffset: 100, records: 90, topicId: 'T', leaderEpoch: 4 }
  const gaps = [
    { class: 'control' as const, fromOffset: 10, nextOffset: 14 },
    { class: 'unknown' as const, fromOffset: 20, nextOffset: 26 },
  ]
  const steps = [
    { ...step, partition: 0, gaps, hold: { reason: 'log-truncated' as const, offset: 70 } },
    { ...step, partition: 1, gaps, hold: { reason: 'deleted' as const, offset: 130 } },
  ]
  // Older ranges than the checkpoint lists, and a step of which some are in the log only.
  for (const nextOffset of [2000, 2800]) {
    const fromOffset = nextOffset === 2000 ? 0 : 2000
    const records = (nextOffset - fromOffset) / 2
    const ranges = Array.from({ length: records }, (_, index) => many(fromOffset / 2 + index))
    const one = { topic: 'many', partition: 0, fromOffset, nextOffset, records, gaps: ranges }
    await storage.submit({ writes: [], delta: encodeDelta('cluster-1', [one]) })
    if (fromOffset === 0) await storage.settle()
  }
  // One group each: the second is in the log only.
  for (const one of steps) await storage.submit({ writes: [], delta: encodeDelta('cluster-1', [one]) })
  try {
    expect((await run('gaps')).out).toMatch(/orders\/0 +100 +control +4\n/)
  } finally {
    await storage.close()
  }
})

afterAll(async () => {
  await fs.close()
  await rm(root, { recursive: true, force: true })
})

it('gaps and holds are listed, by class, range, or all that is known', async () => {
  const { out, code } = await run('gaps', 'orders')
  expect(code).toBe(0)
  expect(out).toMatch(/orders\/1 +100 +unknown +6\n/)
  expect(out).toMatch('held: orders/0: log-truncated at 70, next is 100')
  expect(out).toMatch(/^unknown: orders\/1: 6 offsets from 20 on .*: sediment replay orders 1 20\.\.26$/m)
  expect((await run('gaps', '--ranges')).out).toMatch(/orders\/1 +20 +26 +6 +unknown\n/)
  expect(await rows()).toMatchObject([
    { topic: 'orders', partition: 0, topicId: 'T', leaderEpoch: 4, gapOffsets: { control: 4, unknown: 6 } },
    { partition: 1, hold: { reason: 'deleted', offset: 130 } },
  ])
  expect((await run('gaps', 'other')).out).toBe('no gaps\n')
})

it('ranges are all listed, in order, however many there are', async () => {
  const all = Array.from({ length: 1400 }, (_, index) => many(index))
  const { out } = await run('gaps', 'many', '--ranges')
  const [titles, ...lines] = out.trimEnd().split('\n')
  expect(titles).toMatch(/^PARTITION +FROM +NEXT +OFFSETS +CLASS +STORE$/)
  expect(lines.map((line) => line.split(/ +/).slice(0, 5))).toEqual(
    all.map((gap) => ['many/0', String(gap.fromOffset), String(gap.nextOffset), '1', gap.class]),
  )
  const json = JSON.parse((await run('gaps', 'many', '--json')).out) as Record<string, unknown>
  expect(json).toMatchObject({
    gapOffsets: { filtered: 467, control: 933 },
    gapRangesForgotten: 0,
    gaps: all,
  })
})

it('ranges that cannot be read are said to be, and the others listed', async () => {
  const file = join(data, '.sediment/gaps/cluster-1/many/0-0-0')
  const bytes = await readFile(file)
  await writeFile(
    file,
    bytes.map((byte, at) => (at === 100 ? byte ^ 1 : byte)),
  )
  try {
    const { out, errors, code } = await run('gaps', 'many', '--ranges')
    expect(code).toBe(0)
    expect(errors).toEqual([expect.stringMatching('^many/0: .*/0-0-0: 1 of its .* pages cannot be read')])
    expect(out.trimEnd().split('\n')).toHaveLength(1 + 1400 - 244)
    const verified = await run('verify')
    expect(verified.code).toBe(6)
    expect(verified.out).toMatch(/many\/0-0-0.*1 of its/)
  } finally {
    await writeFile(file, bytes)
  }
})

it('accepting says first what it means, and changes nothing', async () => {
  const before = await rows()
  const { out, code } = await run('offsets', 'accept', 'orders', '0')
  expect(code).toBe(0)
  expect(out).toMatch('offsets from 70 on are others now')
  expect(out).toMatch('nothing was changed')
  expect(await rows()).toEqual(before)
})

it('what is not held, or held for something else, is not accepted', async () => {
  const wrong = await run('gap', 'accept', 'orders', '0', '--apply')
  expect(wrong).toMatchObject({ code: 2 })
  expect(wrong.errors.join()).toMatch('sediment offsets accept')
  expect(await run('offsets', 'accept', 'orders', 'zero')).toMatchObject({ code: 2 })
  expect(await run('gap', 'accept', 'orders', '7')).toMatchObject({ code: 2 })
})

it('what is accepted is durable, and held no more', async () => {
  expect(await run('offsets', 'accept', 'orders', '0', '--apply')).toMatchObject({ code: 0 })
  expect(await run('gap', 'accept', 'orders', '1', '--apply')).toMatchObject({ code: 0 })
  const [first, second] = await rows()
  expect(first).toMatchObject({ incarnation: 1, nextOffset: 70, gapOffsets: { 'before-start': 70 } })
  expect(first).not.toHaveProperty('hold')
  expect(second).toMatchObject({ incarnation: 0, nextOffset: 130, gapOffsets: { deleted: 30, unknown: 6 } })
  expect(await run('gap', 'accept', 'orders', '1', '--apply')).toMatchObject({ code: 2 })
})

it('what was known before offsets began anew stays, and is told apart', async () => {
  expect((await run('gaps')).out).toMatch('began anew: orders/0; see what was known before with --former\n')
  const { out } = await run('gaps', '--former')
  expect(out.split('\n')[1]).toMatch(/^orders\/0 +0 +T +100 +90 +control 4, unknown 6$/)
  expect((await run('gaps', '--former', '--ranges')).out).toMatch(
    /^orders\/0 \(incarnation 0\) +20 +26 +6 +unknown$/m,
  )
  expect(JSON.parse((await run('gaps', 'orders', '--former', '--json')).out)).toMatchObject({
    incarnation: 0,
    topicId: 'T',
    nextOffset: 100,
    hold: { reason: 'log-truncated', offset: 70 },
  })
  expect((await run('gaps', 'many', '--former')).out).toBe('nothing is kept of former partitions\n')
})
