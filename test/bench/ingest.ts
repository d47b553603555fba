import type { BenchContext } from './context.ts'
import { runDisk } from './disk-run.ts'
import { runNoop, type NoopVariant } from './noop-run.ts'
import { inTurn, type PeerRun, type PeerSummary } from './peer.ts'
import { runSediment } from './sediment-run.ts'
import { ratios, type Spread } from './statistics.ts'
import { deleteTopics, loadTopic, type Topic } from './topics.ts'
import { runText } from './text.ts'

/** Durable ingest beside the faster of two stock no-op consumers of the same topic, and beside the disk. */
export interface IngestResult {
  readonly label: string
  readonly topic: Topic
  readonly peers: readonly PeerSummary[]
  /** The no-op variant that counts. */
  readonly fasterNoop: string
  readonly ratio: Spread
  /** To writing as many bytes once, in synced pieces, one after the other. */
  readonly ratioToDisk: Spread
}

const noopVariants: readonly NoopVariant[] = ['no-op, default fetch', 'no-op, our fetch']

export async function ingest(context: BenchContext): Promise<IngestResult[]> {
  const results: IngestResult[] = []
  for (const { label, recordBytes, records } of context.plan.ingest) {
    const topic = { name: `ingest-${recordBytes}`, partitions: 4, records, recordBytes }
    results.push(await compare(context, label, topic))
  }
  return results
}

/** 1,000 partitions instead of 4, in batches of a few records, as many producers make them. */
export async function manyPartitions(context: BenchContext): Promise<IngestResult> {
  const { partitions, recordBytes, records } = context.plan.partitions
  const topic = { name: 'partitions', partitions, records, recordBytes }
  return await compare(context, `${partitions} partitions`, topic, { 'batch.size': '16384' })
}

async function compare(
  context: BenchContext,
  label: string,
  topic: Topic,
  properties?: Record<string, string>,
): Promise<IngestResult> {
  const { plan, say, workPath } = context
  const bootstrap = await context.bootstrap()
  say(`${label}: producing ${topic.records} records`)
  const entries = await loadTopic(bootstrap, topic, properties)
  say(`${label}: reading once, not counted`)
  await runNoop('no-op, our fetch', bootstrap, topic)
  const peers = await inTurn(
    plan.rounds,
    [
      ...noopVariants.map((variant) => [variant, () => runNoop(variant, bootstrap, topic)] as const),
      ['disk alone', () => runDisk(workPath, topic)] as const,
      ['sediment', () => runSediment({ bootstrap, topic, workPath, entries })] as const,
    ],
    (round: number, run: PeerRun) => say(`${label} round ${round}/${plan.rounds}: ${runText(run)}`),
  )
  await deleteTopics(bootstrap, [topic.name])

  const noops = peers.filter(({ peer }) => noopVariants.some((variant) => variant === peer))
  const faster = noops.reduce((best, one) =>
    one.recordsPerSecond.median > best.recordsPerSecond.median ? one : best,
  )
  const [disk, ours] = ['disk alone', 'sediment'].map(
    (name) => peers.find(({ peer }) => peer === name) as PeerSummary,
  ) as [PeerSummary, PeerSummary]
  const rates = (summary: PeerSummary): number[] => summary.runs.map((run) => run.recordsPerSecond)
  return {
    label,
    topic,
    peers,
    fasterNoop: faster.peer,
    ratio: ratios(rates(ours), rates(faster)),
    ratioToDisk: ratios(rates(ours), rates(disk)),
  }
}
