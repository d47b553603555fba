import type { EntryName } from '../../src/storage/index.ts'
import type { Random } from '../support/random.ts'
import type { Expectation } from './expectation.ts'
import { buckets } from './messages.ts'
import type { ShownRecord } from './shown.ts'
import { StockRefusal, type NewRecord, type StockClient } from './stock-client.ts'

export interface ChangeCounts {
  written: number
  relabelled: number
  removed: number
  bucketsMade: number
}

const DAY_US = 86_400_000_000n
const WRITES_IN_OURS = 12
const RELABELLED = 6
const REMOVED = 4

/**
 * Lets the server write: records behind, between and before ours, into new entries and a new bucket, other labels for
 * some of our records, and some removed. What it acknowledges becomes part of `expectation`.
 */
export async function changeThroughServer(
  client: StockClient,
  expectation: Expectation,
  random: Random,
  visit: number,
): Promise<ChangeCounts> {
  const counts: ChangeCounts = { written: 0, relabelled: 0, removed: 0, bucketsMade: 0 }
  const ours = expectation.unchanged()
  let count = 0
  const newRecord = (target: EntryName, timestampUs: bigint): NewRecord => ({
    target,
    timestampUs,
    labels: { by: 'server', visit: `${visit}-${count++}` },
    contentType: 'text/plain',
    content: random.bytes(random.chance(0.1) ? 50_000 : random.between(0, 400)),
  })
  const write = async (record: NewRecord): Promise<void> => {
    try {
      await client.write(record)
    } catch (error) {
      // The time is taken: nothing was written.
      if (error instanceof StockRefusal && error.status === 409) return
      throw error
    }
    expectation.serverWrote(record)
    counts.written++
  }

  for (let index = 0; index < WRITES_IN_OURS && ours.length > 0; index++) {
    const near = random.pick(ours)
    // Never in the first half of a millisecond, where slots of messages are.
    const besideUs = near.timestampUs - (near.timestampUs % 1000n) + BigInt(random.between(500, 999))
    const draw = random.next()
    const timestampUs =
      draw < 0.5
        ? besideUs
        : draw < 0.8
          ? besideUs + BigInt(random.between(1, 100)) * DAY_US
          : besideUs - 10n * DAY_US
    await write(newRecord({ bucket: near.bucket, entry: near.entry }, timestampUs))
  }
  const made = `by_server_${visit}`
  await client.createBucket(made)
  counts.bucketsMade++
  for (const bucket of [made, ...buckets]) {
    if (!(await client.buckets()).includes(bucket)) continue
    for (const entry of [`visit_${visit}`, `visit_${visit}/below`]) {
      await write(newRecord({ bucket, entry }, 1_750_000_000_000_000n + BigInt(random.between(0, 10 ** 9))))
    }
  }
  const chosen = pickSome(ours, RELABELLED + REMOVED, random)
  for (const [index, record] of chosen.entries()) {
    if (index < RELABELLED) {
      const corrected = `visit ${visit}`
      await client.updateLabels(record, record.timestampUs, { corrected })
      expectation.serverChanged(record, { kind: 'relabelled', labels: { ...record.labels, corrected } })
      counts.relabelled++
    } else {
      await client.remove(record, record.timestampUs)
      expectation.serverChanged(record, { kind: 'removed', by: 'server' })
      counts.removed++
    }
  }
  return counts
}

function pickSome(records: readonly ShownRecord[], count: number, random: Random): ShownRecord[] {
  const chosen = new Set<ShownRecord>()
  while (chosen.size < Math.min(count, records.length)) chosen.add(random.pick(records))
  return [...chosen]
}
