import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { sediment } from '../support/cli/run-command.ts'

/** Goal: what a message would become is told, with the reasons, without Kafka and without a data directory. */

let folder: string
const file = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sediment-explain-'))
  const rule = {
    topics: ['telemetry'],
    entry: '{topic}/{json:/device}',
    filters: [{ json: '/kind', equals: 'reading' }],
    timestamp: { sources: [{ json: '/at', format: 'iso' }, 'record'], aheadMsMax: '36525d' },
    labels: { json: { device: '/device' } },
  }
  await writeFile(file('config.yaml'), JSON.stringify({ mapping: { rules: [rule] } }))
  await writeFile(file('wrong.json'), '{"value":1,"time":2}')
  const value = { kind: 'reading', at: '2026-01-02T03:04:05.000001Z', device: 'a/7' }
  await writeFile(file('message.json'), JSON.stringify({ offset: 4, key: 'k', value }))
  await writeFile(file('other.json'), JSON.stringify({ value: { kind: 'other' } }))
  await writeFile(file('broken.json'), JSON.stringify({ value: '{"kind":' }))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const explained = async (message: string, topic = 'telemetry') => {
  const args = ['--message', file(message), '--config', file('config.yaml'), '--json']
  const { code, out } = await sediment('explain', topic, ...args)
  expect(code).toBe(0)
  return JSON.parse(out) as unknown
}

describe('explain', () => {
  it('shows rule, decisions and record', async () => {
    expect(await explained('message.json')).toEqual({
      topic: 'telemetry',
      partition: 0,
      offset: 4,
      rule: 'mapping.rules[0]',
      steps: [
        { step: 'filter', what: 'json:/kind equals reading: pass' },
        { step: 'time', what: 'json:/at: 1767323045000001 us taken' },
      ],
      outcome: 'stored',
      bucket: 'kafka',
      entry: 'telemetry/a_7',
      timestampUs: 1767323045000001,
      contentType: 'application/octet-stream',
      contentBytes: expect.any(Number),
      labels: {
        offset: '4',
        topic: 'telemetry',
        partition: '0',
        key: 'k',
        ts_source: 'json:/at',
        device: 'a/7',
      },
    })
  })

  it('shows what is not stored, or kept aside', async () => {
    expect(await explained('other.json')).toMatchObject({ outcome: 'filtered', why: 'filter' })
    expect(await explained('broken.json')).toMatchObject({ outcome: 'quarantine', why: 'json-unreadable' })
    expect(await explained('broken.json', 'orders')).toMatchObject({ rule: 'default', outcome: 'stored' })
  })

  it('is for people, too', async () => {
    const args = ['--message', file('message.json'), '--config', file('config.yaml')]
    const { out } = await sediment('explain', 'telemetry', '5', ...args)

    expect(out.split('\n')).toEqual(
      expect.arrayContaining([
        'message   telemetry/5 offset 4',
        'entry     kafka/telemetry/a_7',
        'label     device=a/7',
      ]),
    )
  })

  it.each([
    [['orders', '0'], 'give the offset, or a message with --message FILE'],
    [['orders', 'x', '1'], 'not a partition: "x"'],
    [['orders', '--message', 'none.json'], '--message none.json cannot be read'],
  ])('refuses %j', async (args, why) => {
    const ran = await sediment('explain', ...args)

    expect(ran.code).toBe(2)
    expect(ran.errors.join()).toContain(why)
  })

  it('refuses a field that no message has', async () => {
    const ran = await sediment('explain', 'orders', '--message', file('wrong.json'))

    expect(ran).toMatchObject({ code: 2 })
    expect(ran.errors.join()).toContain('a message has no time, only value')
  })
})
