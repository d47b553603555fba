import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { endsWithUs } from './children.ts'
import { peerRun, type PeerRun } from './peer.ts'
import { cpuSeconds, peakRssBytes } from './process-usage.ts'
import type { Topic } from './topics.ts'

export type NoopVariant = 'no-op, default fetch' | 'no-op, our fetch'

/** kafkajs' own sizes, and those of our configuration. */
const fetchOptions: Readonly<Record<NoopVariant, object>> = {
  'no-op, default fetch': {},
  'no-op, our fetch': { maxBytes: 16 * 1024 * 1024, maxBytesPerPartition: 1024 * 1024 },
}

const LIMIT_SECONDS = 300
let runs = 0

/** Reads the whole topic once. @throws when it does not get to the end */
export async function runNoop(variant: NoopVariant, bootstrap: string, topic: Topic): Promise<PeerRun> {
  const { name, records, recordBytes } = topic
  const options = {
    bootstrap,
    topic: name,
    groupId: `noop-${process.pid}-${++runs}`,
    records,
    fetch: fetchOptions[variant],
  }
  const child = endsWithUs(
    spawn(process.execPath, ['--import', 'tsx', 'test/bench/noop-consumer.ts', JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  )
  const pid = child.pid
  if (pid === undefined) throw new Error('the no-op consumer was not started')
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_SECONDS * 1000)
  const ended = new Promise((resolve) => child.once('close', resolve))
  try {
    let cpuBefore = 0
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'first') cpuBefore = cpuSeconds(pid) ?? 0
      const last = /^last (\S+)$/.exec(line)
      if (last === null) continue
      return peerRun(variant, {
        records,
        recordBytes,
        seconds: Number(last[1]),
        cpuSeconds: (cpuSeconds(pid) ?? 0) - cpuBefore,
        peakRssBytes: peakRssBytes(pid) ?? 0,
      })
    }
    throw new Error(`the no-op consumer did not reach the end of ${name}`)
  } finally {
    child.stdin.end()
    await ended
    clearTimeout(timer)
  }
}
