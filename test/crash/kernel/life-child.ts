/**
 * One life of the engine on a real disk, in a process of its own. Says `ready`, reads its order, then opens the store
 * and submits what comes next of each partition until the line `close` comes; says so when something is durable.
 */
import { readdirSync, readlinkSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { randomUUID } from 'node:crypto'
import type { RecordWrite } from '../../../src/storage/index.ts'
import { built } from '../../bench/built.ts'
import { Random } from '../../support/random.ts'
import { OffsetsCompanion, encodeDelta, type Progress } from '../offsets-companion.ts'
import { workloadOptions, workloadTopic, type LifeOrder, type LifeSays } from './workload.ts'

const UNDER_WAY_MAX = 6

/** At once: what was said before a kill is said. */
function say(line: LifeSays): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

/** What is open below `directory`. */
function openFiles(directory: string): string[] {
  const open: string[] = []
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`)
      if (path.startsWith(directory)) open.push(path)
    } catch {
      // That of the listing itself.
    }
  }
  return open
}

const { NodeFileSystem } = await built('fs/node/node-file-system')
const { systemClock } = await built('fs/system-clock')
const { Storage } = await built('storage/index')
const fs = await NodeFileSystem.open()
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
say({ kind: 'ready' })

const { dataPath, seed } = JSON.parse(String((await lines.next()).value)) as LifeOrder
const options = workloadOptions(seed)
const topic = workloadTopic(seed)
const random = new Random(process.pid)
let isEnding = false

function end(error: unknown): never {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  say({ kind: 'refused', code, text: message })
  process.exit(7)
}
process.on('unhandledRejection', (reason) => {
  say({ kind: 'refused', code: 'unhandled', text: String(reason) })
  process.exit(70)
})

const companion = new OffsetsCompanion(options.partitions)
const storage = await Storage.open({
  dataPath,
  fs,
  clock: systemClock,
  randomUuid: randomUUID,
  companion,
  limits: options.limits,
  bucketSettings: () => options.blocks,
}).catch(end)
if (companion.contradictions.length > 0) end(new Error(companion.contradictions.join()))
say({ kind: 'opened', next: companion.progress.next })

void lines.next().then(() => (isEnding = true))

let progress: Progress = companion.progress
const stream = {}
const underWay = new Set<Promise<void>>()

function submitNext(): void {
  const next = [...progress.next]
  const writes: RecordWrite[] = []
  for (let left = random.between(1, 3); left > 0; left--) {
    const partition = random.below(options.partitions)
    for (let count = random.between(1, options.messagesPerSubmissionMax); count > 0; count--) {
      const message = topic.at(partition, next[partition] as number)
      if (message !== undefined) writes.push(message.write)
      next[partition] = (next[partition] as number) + 1
    }
  }
  const submission = progress.submission + 1
  const delta = encodeDelta(submission, progress, next)
  progress = { submission, next }
  const done: Promise<void> = storage.submit({ writes, delta, stream }).then(() => {
    underWay.delete(done)
    say({ kind: 'acknowledged', next })
  }, end)
  underWay.add(done)
}

while (!isEnding) {
  if (underWay.size < UNDER_WAY_MAX) submitNext()
  else await Promise.race(underWay)
  // Now and then a pause, long enough for folds and checkpoints of idle stores.
  await systemClock.sleep(random.chance(0.02) ? 120 : random.below(4))
}
await Promise.all(underWay)
await storage.close().catch(end)
await fs.close()
say({ kind: 'closed', openFiles: openFiles(dataPath) })
process.exit(0)
