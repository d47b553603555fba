import type { BenchContext } from './context.ts'
import { inTurn, type PeerSummary } from './peer.ts'
import { runText } from './text.ts'
import { runSediment } from './sediment-run.ts'
import { ratios, type Spread } from './statistics.ts'
import { deleteTopics, loadKeyedTopic } from './topics.ts'

/** The same bytes from four partitions into more and more entries, by key. */
export interface FanoutResult {
  readonly entries: number
  readonly summary: PeerSummary
  /** Rate over that with the fewest entries. */
  readonly ratio: Spread
}

export async function fanout(context: BenchContext): Promise<FanoutResult[]> {
  const { plan, say, workPath } = context
  const { recordBytes, records, entries: counts } = plan.fanout
  const bootstrap = await context.bootstrap()
  const topics = counts.map(
    (entries) => [entries, { name: `fanout-${entries}`, partitions: 4, records, recordBytes }] as const,
  )
  for (const [entries, topic] of topics) {
    say(`fan-out: producing ${records} records with ${entries} keys`)
    await loadKeyedTopic(bootstrap, topic, entries)
  }
  const summaries = await inTurn(
    plan.rounds,
    topics.map(
      ([entries, topic]) =>
        [
          `${entries} entries`,
          async () => ({
            ...(await runSediment({ bootstrap, topic, workPath, entry: '{key}', entries })),
            peer: `${entries} entries`,
          }),
        ] as const,
    ),
    (round, run) => say(`fan-out round ${round}/${plan.rounds}: ${runText(run)}`),
  )
  await deleteTopics(
    bootstrap,
    topics.map(([, { name }]) => name),
  )
  const rates = (summary: PeerSummary | undefined): number[] =>
    (summary?.runs ?? []).map((run) => run.recordsPerSecond)
  return summaries.map((summary, index) => ({
    entries: counts[index] as number,
    summary,
    ratio: ratios(rates(summary), rates(summaries[0])),
  }))
}
