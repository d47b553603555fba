import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { NodeFileSystem } from '../../src/fs/node/node-file-system.ts'
import type { EntryName } from '../../src/storage/index.ts'
import { sediment, sedimentReading, type Ran } from '../support/cli/run-command.ts'
import { realClock } from '../support/real-clock.ts'
import { openStore, write } from '../support/storage/store.ts'

/** Goal: attachments are written, listed, read and removed by commands, on a real disk. Method: one directory, one story. */

const t0 = 1_750_000_000_000_000
const orders: EntryName = { bucket: 'kafka', entry: 'orders/0' }
const meta: EntryName = { bucket: 'kafka', entry: 'orders/0/$meta' }
let root: string
let data: string

const run = (...args: string[]): Promise<Ran> => sediment(...args, '--data', data)

async function withStore<T>(use: (storage: Awaited<ReturnType<typeof openStore>>) => Promise<T>): Promise<T> {
  const fs = await NodeFileSystem.open()
  const storage = await openStore(fs, { dataPath: data, clock: realClock })
  try {
    return await use(storage)
  } finally {
    await storage.close()
    await fs.close()
  }
}

/** Labels of all records, taken away or not. */
const stored = (): Promise<string[]> =>
  withStore(async (storage) => {
    const all: string[] = []
    for await (const { labels } of storage.records(meta, { anyState: true })) all.push(labels.join('='))
    return all
  })

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sediment-cli-'))
  data = join(root, 'data')
  await withStore((storage) => storage.submit({ writes: [write(orders, t0, 'content')] }))
})

afterAll(() => rm(root, { recursive: true, force: true }))

describe('sediment attachment', () => {
  it('stores files and standard input by key, and lists them', async () => {
    const file = join(root, 'schema.json')
    await writeFile(file, '{"a":1}')
    const set = await run('attachment', 'set', 'kafka/orders/0', 'schema', file, '--type', 'application/json')
    expect(set).toMatchObject({ code: 0, errors: ['kafka/orders/0 has schema: 7 B, application/json'] })
    expect(
      await sedimentReading('raw', 'attachment', 'set', 'kafka/orders/0', 'calib', '--data', data),
    ).toMatchObject({ code: 0 })
    const { out } = await run('attachment', 'ls', 'kafka/orders/0', '--json')
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      { key: 'calib', contentBytes: 3, contentType: 'application/octet-stream', timestampUs: 1 },
      { key: 'schema', contentBytes: 7, contentType: 'application/json', timestampUs: 0 },
    ])
    expect((await run('attachment', 'ls', 'kafka/orders/0')).out).toMatch(/^KEY +SIZE +TYPE +TIME\ncalib /)
  })

  it('puts a new one in the place of the old one, which is gone', async () => {
    await sedimentReading('{"a":2}', 'attachment', 'set', 'kafka/orders/0', 'schema', '--data', data)
    expect((await run('attachment', 'cat', 'kafka/orders/0', 'schema')).out).toBe('{"a":2}')
    expect(await stored()).toEqual(['key=calib', 'key=schema'])
  })

  it('shows nothing that a client has labelled as taken away, and nor does a query', async () => {
    const set = new Map([['remove', 'true']])
    await withStore((storage) => storage.updateLabels(meta, [{ timestampUs: 1n, set }]))
    expect((await run('attachment', 'ls', 'kafka/orders/0')).out).not.toMatch(/calib/)
    expect((await run('attachment', 'cat', 'kafka/orders/0', 'calib')).errors).toEqual([
      'sediment: kafka/orders/0 has no attachment "calib"; it has schema',
    ])
    const { out } = await run('query', 'kafka/orders/0/$meta', '--json')
    expect(out.trimEnd().split('\n')).toEqual([expect.stringContaining('"key":"schema"')])
    expect((await run('cat', 'kafka/orders/0/$meta', '1')).out).toBe('raw')
  })

  it('stays out of lists, and of what a wildcard or an entry above it means', async () => {
    expect((await run('ls')).out).not.toMatch(/meta/)
    expect((await run('ls', 'kafka/orders/0/$meta')).out).toMatch(/^kafka\/orders\/0\/\$meta +2 /m)
    for (const pattern of ['kafka', 'kafka/orders/0', 'kafka/*'])
      expect((await run('query', pattern)).out.trimEnd().split('\n')).toHaveLength(1)
  })

  it('is removed with --yes only, also what was taken away', async () => {
    const asked = await run('attachment', 'rm', 'kafka/orders/0', 'calib')
    expect(asked).toMatchObject({ code: 2, errors: [expect.stringMatching(/would go for good.*--yes/)] })
    expect(await stored()).toHaveLength(2)
    for (const key of ['calib', 'schema'])
      expect(await run('attachment', 'rm', 'kafka/orders/0', key, '--yes')).toMatchObject({ code: 0 })
    expect(await stored()).toEqual([])
    expect(await run('attachment', 'ls', 'kafka/orders/0')).toMatchObject({
      out: '',
      errors: ['kafka/orders/0 has no attachments'],
    })
  })

  it('belongs to a bucket where no entry is named', async () => {
    expect(await sedimentReading('b', 'attachment', 'set', 'kafka', 'about', '--data', data)).toMatchObject({
      code: 0,
    })
    expect((await run('attachment', 'cat', 'kafka', 'about')).out).toBe('b')
    expect(await run('verify')).toMatchObject({ code: 0 })
  })

  it.each<[string, string[], RegExp]>([
    ['an entry that is not there', ['set', 'kafka/order', 'a'], /there is no kafka\/order; .*sediment ls/],
    ['a bucket that is not there', ['ls', 'kafak'], /there is no kafak/],
    ['a key that is not there', ['rm', 'kafka/orders/0', 'x', '--yes'], /no attachment "x"; it has none/],
    ['an empty key', ['set', 'kafka/orders/0', ''], /needs a key/],
    ['a file that is not there', ['set', 'kafka', 'a', '/nonexistent/a'], /\/nonexistent\/a cannot be read/],
    ['a wildcard', ['cat', 'kafka/*', 'a'], /write bucket or bucket\/entry/],
  ])('says no to %s', async (_, args, message) => {
    expect(await run('attachment', ...args)).toMatchObject({
      code: 2,
      errors: [expect.stringMatching(message)],
    })
  })
})
