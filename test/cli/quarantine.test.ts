import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import { OffsetLedger } from '../../src/ledger/offset-ledger.ts'
import { quarantinedRecord } from '../../src/sink/quarantine.ts'
import { sediment, type Ran } from '../support/cli/run-command.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore } from '../support/storage/store.ts'

/** Goal: what is in quarantine is seen and replayed by commands, on a real disk. Method: one directory, one story. */

let root: string
let data: string
let config: string

const run = (...args: string[]): Promise<Ran> => sediment('quarantine', ...args, '--data', data)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-quarantine-'))
  data = join(root, 'data')
  config = join(root, 'new.yaml')
  await writeFile(config, 'mapping: { rules: [{ topics: [orders], bucket: mended, contentBytesMax: 6 }] }\n')
  const fs = await NodeFileSystem.open()
  const storage = await openStore(fs, { dataPath: data, clock: realClock, companion: new OffsetLedger() })
  const reason = { cause: 'content-too-large', detail: 'the value has 5 bytes', rule: 'mapping.rules[0]' }
  const writes = ['small', 'too large'].map((value, index) =>
    quarantinedRecord(
      {
        offset: 7 + index,
        timestampMs: 1_700_000_000_000,
        timestampType: 'create',
        key: Buffer.from([255]),
        value: Buffer.from(value),
        headers: [{ name: Buffer.from('trace'), value: Buffer.from('abc') }],
      },
      reason,
      { topic: 'orders', partition: 0 },
      1_700_000_001_000,
    ),
  )
  await storage.submit({ writes })
  await storage.close()
  await fs.close()
})

afterAll(() => rm(root, { recursive: true, force: true }))

it('messages are counted by cause, listed, and shown as Kafka had them', async () => {
  expect((await run('ls')).out).toMatch(/orders\/0 +content-too-large +mapping\.rules\[0\] +2 +0 +2023-11-14/)
  expect((await run('ls', 'orders', '0', '--messages')).out).toMatch(/orders\/0 +8 .* the value has 5 bytes/)
  expect((await run('ls', '--cause', 'no-time')).out).toBe('nothing is in quarantine\n')
  expect((await run('show', 'orders', '0', '7')).out).toMatch(
    /\nkey {7}"\/w==" \(base64\)\nheader {4}"trace": "abc"\n/,
  )
  expect((await run('show', 'orders', '0', '8', '--payload')).out).toBe('too large')
  expect(JSON.parse((await run('show', 'orders', '0', '7', '--json')).out)).toMatchObject({
    cause: 'content-too-large',
    keyBase64: '/w==',
    value: 'small',
  })
  expect(await run('show', 'orders', '0', '9')).toMatchObject({ code: 2 })
})

it('a replay says first what it would do, then does it, and leaves the rest', async () => {
  const planned = await run('replay', '--config', config)
  expect(planned.out).toMatch(/1 message would be stored, 1 stay in quarantine; nothing was changed/)
  expect(planned.code).toBe(1)
  expect((await run('ls')).out).toMatch(/ 2 +0 +2023/)

  const done = await run('replay', 'orders', '--config', config, '--apply', '--json')
  expect(done.code).toBe(1)
  expect(JSON.parse(done.out)).toMatchObject({ isApplied: true, stored: 1, staying: 1 })
  expect((await run('ls')).out).toMatch(/ 2 +1 +2023/)
  const found = await sediment('query', 'mended/orders', '--json', '--payload', '--data', data)
  expect(JSON.parse(found.out)).toMatchObject({
    kafka: { offset: 7, keyBase64: '/w==', timestampMs: 1_700_000_000_000 },
    payload: Buffer.from('small').toString('base64'),
  })
})
