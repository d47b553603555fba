import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { silentStorageObserver } from '../../src/storage/index.ts'
import { Random } from '../support/random.ts'
import { Examination, type Subject } from './examination.ts'
import { Expectation } from './expectation.ts'
import { deltaOf, openInteropStore, type InteropStore } from './interop-store.ts'
import { NUMBER_LABEL, type Message, type MessageSource } from './messages.ts'
import type { InteropReport } from './report.ts'
import type { ShownRecord } from './shown.ts'
import type { StockClient } from './stock-client.ts'

export interface NamedCaseOptions {
  readonly binary: string
  readonly folder: string
  readonly report: InteropReport
  readonly log: (line: string) => void
}

const START_US = 1_750_000_000_000_000
const TARGET = { bucket: 'kafka', entry: 'orders/0' }
const GROUP_MESSAGES = 4
const EARLY_MESSAGES = 20
const STEP_US = 10_000

/** Each with a content of its own length; the first twenty in order, the others late, one behind each of them. */
const messages: MessageSource = {
  at(number: number): Message {
    const content = new Random(number).bytes(20 + number)
    const labels = [NUMBER_LABEL, String(number)]
    const isLate = number >= EARLY_MESSAGES
    const timestampUs = START_US + (isLate ? (number - EARLY_MESSAGES) * STEP_US + 5_000 : number * STEP_US)
    return { number, write: { target: TARGET, timestampUs, labels, contentType: 'text/plain', content } }
  },
}

/** What our process had done before it was gone; everything is acknowledged and projected. */
const befores: Readonly<Record<string, (store: InteropStore, expectation: Expectation) => Promise<void>>> = {
  'records in log and WAL': (store, expectation) => submit(store, expectation, EARLY_MESSAGES),
  'records in the WAL, behind a checkpoint': async (store, expectation) => {
    await submit(store, expectation, EARLY_MESSAGES)
    await store.storage.checkpoint()
  },
  'a sealed block, and late records in log and WAL': async (store, expectation) => {
    await submit(store, expectation, EARLY_MESSAGES)
    await store.storage.settle()
    await submit(store, expectation, EARLY_MESSAGES + GROUP_MESSAGES)
  },
}

async function submit({ storage }: InteropStore, expectation: Expectation, end: number): Promise<void> {
  for (let from = expectation.acknowledged; from < end; from += GROUP_MESSAGES) {
    const to = from + GROUP_MESSAGES
    const writes = Array.from({ length: GROUP_MESSAGES }, (_, index) => messages.at(from + index).write)
    await storage.submit({ writes, delta: deltaOf(from, to) })
    expectation.acknowledged = to
    expectation.tried = to
  }
}

type ServerAct = (
  client: StockClient,
  expectation: Expectation,
  ours: readonly ShownRecord[],
) => Promise<void>

const acts: Readonly<Record<string, ServerAct>> = {
  'shows the records': () => Promise.resolve(),
  'changes a label': async (client, expectation, ours) => {
    const record = ours[3] as ShownRecord
    await client.updateLabels(record, record.timestampUs, { corrected: 'yes' })
    expectation.serverChanged(record, {
      kind: 'relabelled',
      labels: { ...record.labels, corrected: 'yes' },
    })
  },
  'writes a record behind ours': async (client, expectation, ours) => {
    const timestampUs = (ours.at(-1) as ShownRecord).timestampUs + 500n
    await write(client, expectation, timestampUs)
  },
  'writes a record between ours': async (client, expectation, ours) => {
    await write(client, expectation, (ours[3] as ShownRecord).timestampUs + 500n)
  },
  'removes a record': async (client, expectation, ours) => {
    const record = ours[3] as ShownRecord
    await client.remove(record, record.timestampUs)
    expectation.serverChanged(record, { kind: 'removed', by: 'server' })
  },
}

async function write(client: StockClient, expectation: Expectation, timestampUs: bigint): Promise<void> {
  const record = {
    target: TARGET,
    timestampUs,
    labels: { by: 'server' },
    contentType: 'text/plain',
    content: Buffer.from('written by the server'),
  }
  await client.write(record)
  expectation.serverWrote(record)
}

/**
 * One block of ours, and our process gone; the server opens it, does one thing, and is stopped or killed; Sediment opens
 * what is there. @returns how many cases there are
 */
export async function runNamedCases({ binary, folder, report, log }: NamedCaseOptions): Promise<number> {
  const examination = new Examination(binary, folder, new Random(1), report, log)
  let count = 0
  for (const [before, prepare] of Object.entries(befores)) {
    for (const [act, run] of Object.entries(acts)) {
      for (const end of ['stopped', 'killed'] as const) {
        const what = `case: ${before}; the server ${act} and is ${end}`
        const subject: Subject = { label: `case ${count}`, profile: 'inline', messages }
        const visited = join(folder, `case-${count++}`)
        try {
          const expectation = await makeKilled(visited, prepare)
          const server = await examination.startServer(subject, visited)
          if (server === undefined) continue
          if (!examination.judgeInServer(subject, expectation, await server.client.readAll())) continue
          await run(server.client, expectation, expectation.unchanged())
          await (end === 'killed' ? server.kill() : server.stop())
          const visit = { visited, isAfterKill: true, what }
          const isRight = await examination.openVisited(subject, expectation, visit)
          log(`${what}: ${isRight ? 'right' : 'NOT right'}`)
        } finally {
          await examination.end()
        }
      }
    }
  }
  return count
}

/** A directory as a kill leaves it while nothing is in flight: copied from beneath the engine. */
async function makeKilled(
  path: string,
  prepare: (store: InteropStore, expectation: Expectation) => Promise<void>,
): Promise<Expectation> {
  const expectation = new Expectation(messages)
  const livePath = `${path}-live`
  const store = await openInteropStore(livePath, 'inline', silentStorageObserver, {
    // Only when asked for.
    idleCheckpointMs: 3_600_000,
  })
  try {
    await prepare(store, expectation)
    await cp(livePath, path, { recursive: true })
  } finally {
    await store.close()
    await rm(livePath, { recursive: true })
  }
  return expectation
}
