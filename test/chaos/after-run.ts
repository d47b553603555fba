import { readStored } from '../crash/kill/stored.ts'
import { runSediment } from '../deployment/programs.ts'
import type { Findings } from './findings.ts'
import { cutWithoutReason, judge, sharedOffsets, type StoreContent } from './judge.ts'
import { readKafka } from './kafka-content.ts'
import type { Member } from './member.ts'
import { BROKER_FAULTS, type Nemesis } from './nemesis.ts'
import type { FedTopic, Producer } from './producer.ts'
import type { Sampler } from './sampler.ts'

/** Who took part. */
interface Run {
  readonly members: readonly Member[]
  readonly producer: Producer
  readonly nemesis: Nemesis
}

/** What was done, and what was seen meanwhile. */
export function judgeRun(
  { members, producer, nemesis }: Run,
  sampler: Sampler,
  failures: readonly string[],
  minutes: number,
  findings: Findings,
): void {
  const wanted = [...nemesis.memberFaults, ...BROKER_FAULTS]
  const faults = wanted.map((fault) => [fault, nemesis.counts.get(fault) ?? 0] as const)
  findings.row('faults', faults.map(([fault, count]) => `${fault} ${count}`).join(', '))
  findings.row('samples', `${sampler.samples} (${sampler.checked} commits checked, ${sampler.missed} missed)`)
  findings.row('sends repeated', producer.resent)
  const count = (text: string): number => members.reduce((sum, member) => sum + member.countLines(text), 0)
  findings.row('assignments', count('"message":"partitions assigned"'))
  findings.row('pauses for space', count('"reason":"disk-space"'))
  findings.promise(
    minutes < 1 || faults.every(([, times]) => times > 0),
    'every kind of fault was done',
    faults.filter(([, times]) => times === 0).map(([fault]) => fault),
  )
  findings.promise(
    sampler.violations.length === 0,
    'committed was durable at every sample',
    sampler.violations,
  )
  findings.promise(sampler.samples > sampler.missed, 'Kafka told what is committed at most samples')
  findings.promise(failures.length === 0, 'no sink ended by itself', failures)
}

/** What the stores say of themselves, when all are stopped. */
export async function judgeLedgers(members: readonly Member[], findings: Findings): Promise<void> {
  const gaps = new Map<string, number>()
  const held: string[] = []
  for (const member of members) {
    for (const { topic, partition, gapOffsets, hold } of await member.ledger()) {
      for (const [name, offsets] of Object.entries(gapOffsets))
        gaps.set(name, (gaps.get(name) ?? 0) + offsets)
      if (hold !== undefined) held.push(`${member.name}: ${topic}/${partition}: ${hold.reason}`)
    }
    const verified = await runSediment(['verify', '--data', member.disk.dataPath])
    findings.promise(verified.code === 0, `verify of ${member.name}`, [verified.stdout + verified.stderr])
  }
  findings.row('gaps', [...gaps].map(([name, offsets]) => `${name} ${offsets}`).join(', ') || 'none')
  const others = [...gaps].filter(([name, offsets]) => name !== 'elsewhere' && offsets > 0)
  findings.promise(others.length === 0, 'no gap but of what other stores have', others.map(String))
  findings.promise(held.length === 0, 'no partition is held', held)
}

/** What the stores hold, against what Kafka holds up to `ends`. */
export async function judgeStores(
  { members, producer, nemesis }: Run,
  brokers: readonly string[],
  topics: readonly FedTopic[],
  ends: ReadonlyMap<string, number>,
  findings: Findings,
): Promise<void> {
  const kafka = await readKafka(brokers, topics, ends)
  const keys = new Set([...kafka.values()].flatMap((content) => content.keys))
  const { acknowledged } = producer
  const lost = [...acknowledged].filter((key) => !keys.has(key))
  findings.promise(lost.length === 0, 'Kafka holds all that it acknowledged', lost)
  const stores: StoreContent[] = []
  const wrong: string[] = []
  for (const { name, disk } of members) {
    try {
      const { offsets, count } = readStored(disk.dataPath, kafka)
      stores.push({ store: name, offsets })
      findings.row(`records in ${name}`, count)
    } catch (error) {
      wrong.push(`${name}: ${String(error)}`)
    }
  }
  findings.promise(wrong.length === 0, 'every store has each of its records once, as it was produced', wrong)
  const tenures = members.flatMap((member) => member.tenures())
  const { missing, shared, unexplained } = judge(kafka, stores, tenures)
  const records = [...ends.values()].reduce((sum, end) => sum + end, 0)
  findings.row('records in Kafka', `${records} (${acknowledged.size} different ones acknowledged)`)
  const cut = tenures.filter(({ end }) => end === 'cut').length
  findings.row('epochs', `${tenures.length}, ${cut} of them cut`)
  findings.row('records in two stores', `${sharedOffsets(shared)} in ${shared.length} ranges`)
  const [largest] = [...shared].sort((a, b) => sharedOffsets([b]) - sharedOffsets([a]))
  if (largest !== undefined) findings.row('  the largest of them', JSON.stringify(largest))
  const unreasoned = cutWithoutReason(tenures, nemesis.disturbances)
  findings.promise(
    unreasoned.length === 0,
    'an epoch is cut by a fault only',
    unreasoned.map(({ store, epoch, endMs }) => `${store}: ${epoch} at ${new Date(endMs!).toISOString()}`),
  )
  findings.promise(missing.length === 0, 'the stores together have everything', missing)
  findings.promise(
    unexplained.length === 0,
    'planned moves double nothing',
    unexplained.map((range) => JSON.stringify(range)),
  )
}
