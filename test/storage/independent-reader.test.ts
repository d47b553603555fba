import { describe, expect, it } from '@jest/globals'
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { makeOpenDirectory, sealedFiles, withOneByteChanged } from '../support/made-directory.ts'
import { mapFiles, nodeFiles } from '../support/independent/files.ts'
import {
  readAsStock,
  StockDoesNotStart,
  type StockRecord,
  type StockView,
} from '../support/independent/stock-reader.ts'
import { goldenManifests, unpackGolden, type GoldenEntry, type GoldenManifest } from '../support/golden.ts'

const states = { STARTED: 0, ERRORED: 2 }

/** What a point read answered, in the words of the manifest, so that differences are readable. */
function pointRead(record: StockRecord | undefined): object {
  if (record === undefined) return { status: 404 }
  if (record.state !== 1) return { state: record.state }
  if (record.content === undefined) return { status: 'no answer' }
  return {
    labels: Object.fromEntries(record.labels),
    content_type: record.contentType,
    size: record.contentLength,
    sha256: createHash('sha256').update(record.content).digest('hex'),
  }
}

/** Queries leave out attachments that are marked as removed. */
function isRemovedAttachment({ entry, labels }: StockRecord): boolean {
  return entry.endsWith('$meta') && labels.some(([name, value]) => name === 'remove' && value === 'true')
}

function expectSame(view: StockView, bucket: string, name: string, golden: GoldenEntry): void {
  const entry = view.entries.find((one) => one.bucket === bucket && one.entry === name)
  for (const expected of golden.records) {
    const { ts, status, state, labels, content_type, size, sha256 } = expected
    const answer =
      state !== undefined
        ? { state: states[state] }
        : status === undefined
          ? { labels, content_type, size, sha256 }
          : { status }
    expect([ts, pointRead(entry?.at(BigInt(ts)))]).toEqual([ts, answer])
  }
  const finished = entry?.records.filter((record) => record.state === 1 && !isRemovedAttachment(record))
  if (Array.isArray(golden.query_all)) {
    expect(finished?.map((record) => record.timestampUs)).toEqual(golden.query_all.map(BigInt))
  } else expect(finished?.every((record) => record.content !== undefined) ?? false).toBe(false)
}

function outcome(files: Map<string, Uint8Array>): unknown {
  try {
    const { records, problems } = readAsStock(mapFiles(files))
    return { records, problems }
  } catch (error) {
    if (error instanceof StockDoesNotStart) return 'does not start'
    throw error
  }
}

describe('the independent reader', () => {
  it.each(goldenManifests().map((manifest): [string, GoldenManifest] => [manifest.name, manifest]))(
    'shows of %s what stock 1.19 showed',
    async (name, manifest) => {
      const root = await unpackGolden(name)
      try {
        const stock = manifest.stock_after_reopen.find((one) => one.server_version === '1.19.0')
        if (stock?.starts !== true) {
          expect(() => readAsStock(nodeFiles(root))).toThrow(StockDoesNotStart)
          return
        }
        const view = readAsStock(nodeFiles(root))
        const buckets = stock.buckets ?? manifest.buckets
        for (const [bucket, { entries }] of Object.entries(buckets)) {
          for (const [entry, golden] of Object.entries(entries)) expectSame(view, bucket, entry, golden)
        }
      } finally {
        rmSync(root, { recursive: true })
      }
    },
  )

  it('reads what our codecs wrote', () => {
    const { records, problems } = readAsStock(mapFiles(makeOpenDirectory()))
    expect(problems).toEqual([])
    expect(
      records.map((record) => [record.timestampUs, Buffer.from(record.content ?? []).toString()]),
    ).toEqual([
      [1_000_000n, 'content of 1000000'],
      [1_000_007n, 'content of 1000007'],
      [2_000_000n, 'content of 2000000'],
      [2_000_007n, 'content of 2000007'],
      [3_000_000n, 'abc'],
    ])
    expect(records[1]).toMatchObject({ bucket: 'kafka', entry: 'topic/0', labels: [['offset', '1000007']] })
  })

  it.each([...sealedFiles, 'kafka/topic/0/3000000.blk', 'kafka/topic/0/.wal/3000000.wal'])(
    'notices a change of any byte in %s',
    (path) => {
      const files = makeOpenDirectory()
      const before = outcome(files)
      for (const changed of withOneByteChanged(files, path)) expect(outcome(changed)).not.toEqual(before)
    },
  )
})
