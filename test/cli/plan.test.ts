import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { sediment } from '../support/cli/run-command.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore, write } from '../support/storage/store.ts'

/** Goal: what a change of the rules would do is told before it is made. Method: a real directory with two topics. */

let folder: string
const file = (name: string): string => join(folder, name)
const configure = (name: string, rules: object[]) =>
  writeFile(file(name), JSON.stringify({ kafka: { topics: ['orders', '/x/'] }, mapping: { rules } }))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sediment-plan-'))
  await configure('old.yaml', [{ topics: ['orders'], labels: { key: false } }])
  await configure('new.yaml', [
    { topics: ['wine'], entry: 'by/{key}' },
    { topics: ['orders', 'beer'], entry: 'all/{partition}' },
  ])
  const fs = await NodeFileSystem.open()
  const store = await openStore(fs, { dataPath: file('data'), clock: realClock })
  await store.submit({
    writes: [
      write({ bucket: 'kafka', entry: 'orders/0' }, 1000, 'a', ['offset', '1']),
      write({ bucket: 'kafka', entry: 'orders/1' }, 1000, 'a', ['offset', '1']),
      write({ bucket: 'kafka', entry: 'wine/0' }, 1000, 'a', ['offset', '1']),
    ],
  })
  await store.close()
  await fs.close()
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const plan = (...args: string[]) => sediment('plan', '--config', file('new.yaml'), ...args)

describe('plan', () => {
  it('tells what changes for every topic that is named or stored', async () => {
    const { code, out } = await plan('--against', file('old.yaml'), '--data', file('data'), '--json')

    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({
      topics: [
        {
          topic: 'orders',
          rule: 1,
          ruleBefore: 0,
          changes: [
            { field: 'entry', before: '{topic}/{partition}', after: 'all/{partition}' },
            { field: 'labels.key', before: false, after: true },
          ],
          entriesStored: 2,
          entriesLeft: 2,
        },
        {
          topic: 'wine',
          rule: 0,
          ruleBefore: 1,
          changes: [{ field: 'entry', before: '{topic}/{partition}', after: 'by/{key}' }],
          entriesStored: 1,
          entriesLeft: 1,
        },
      ],
      conflicts: [],
    })
  })

  it('tells for people', async () => {
    const { out } = await plan('--against', file('old.yaml'), '--data', file('data'))

    expect(out.trimEnd().split('\n')).toEqual([
      'orders: rule mapping.rules[1] (before: mapping.rules[0])',
      '  entry: "{topic}/{partition}" becomes "all/{partition}"',
      '  labels.key: false becomes true',
      '  2 entries stored, 2 of them get no more records',
      'wine: rule mapping.rules[0] (before: default)',
      '  entry: "{topic}/{partition}" becomes "by/{key}"',
      '  1 entries stored, 1 of them get no more records',
    ])
  })

  it('ends with 1 where topics would meet, also without a directory', async () => {
    const { code, out } = await plan('--topic', 'beer', '--data', file('none'))

    expect(code).toBe(1)
    expect(out).toContain('CONFLICT: beer and orders in kafka/all/{partition}')
  })
})
