import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { projectRoot, run } from '../deployment/programs.ts'
import {
  freePorts,
  startSediment,
  until,
  untilFrom,
  untilReady,
  type SedimentProcess,
} from '../deployment/sediment-process.ts'

interface Answer {
  readonly status: string
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
}

describe('a real Prometheus', () => {
  let folder: string
  let broker: Awaited<ReturnType<typeof startBroker>>
  let sediment: SedimentProcess
  let prometheus: ChildProcess
  let prometheusAddress: string
  let producer: Producer
  let produced = 0

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-prometheus-'))
    const [httpPort = 0, prometheusPort = 0] = await freePorts(2)
    prometheusAddress = `http://127.0.0.1:${prometheusPort}`
    broker = await startBroker()
    await createTopics(broker.bootstrap, [{ name: 'measured', partitions: 2 }])
    producer = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()

    const settings = [
      `dataPath=${join(folder, 'data')}`,
      `kafka.brokers=${broker.bootstrap}`,
      'kafka.topics=measured',
      `http.port=${httpPort}`,
    ]
    sediment = startSediment(['run', ...settings.flatMap((setting) => ['--set', setting])], httpPort)
    await untilReady(sediment)

    // The scrape configuration that the compose file ships, aimed at this process.
    const shipped = await readFile(join(projectRoot, 'dev', 'prometheus', 'prometheus.yml'), 'utf8')
    const aimed = shipped
      .replace('sediment:8383', `127.0.0.1:${httpPort}`)
      .replaceAll(/_interval: \d+s/g, '_interval: 1s')
    expect(aimed).not.toContain('sediment:8383')
    await writeFile(join(folder, 'prometheus.yml'), aimed)
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${prometheusPort}`,
      ],
      { stdio: 'ignore' },
    )
    await until(
      async () => (await fetch(`${prometheusAddress}/-/ready`)).status,
      (status) => status === 200,
      30_000,
    )
  }, 180_000)

  afterAll(async () => {
    const gone = prometheus && new Promise((resolve) => prometheus.once('close', resolve))
    prometheus?.kill('SIGTERM')
    await gone
    await producer?.disconnect()
    await sediment?.stop()
    await broker?.stop()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  async function produce(count: number): Promise<void> {
    const messages = Array.from({ length: count }, () => ({ value: `value ${produced++}` }))
    await producer.send({ topic: 'measured', messages })
  }

  /** The sum over all series of an expression, as Prometheus has it now; `undefined` for no series. */
  async function query(expression: string): Promise<number | undefined> {
    const url = `${prometheusAddress}/api/v1/query?query=${encodeURIComponent(`sum(${expression})`)}`
    const answer = (await (await fetch(url)).json()) as Answer
    const value = answer.data.result[0]?.value[1]
    return value === undefined ? undefined : Number(value)
  }

  const scraped = (records: number) =>
    untilFrom(
      sediment,
      () => query('sediment_durable_records_total{topic="measured"}'),
      (count) => count === records,
      30_000,
    )

  it('sees cache hits, syncs and durable records rise with what is produced', async () => {
    const watched = [
      'sediment_block_cache_hits_total{cache="write"}',
      'sediment_fsync_duration_seconds_count{kind="log"}',
      'sediment_stored_records_total',
    ]
    await produce(100)
    await scraped(100)
    const before = await Promise.all(watched.map(query))
    for (let batch = 0; batch < 5; batch++) {
      await produce(40)
      await scraped(100 + 40 * (batch + 1))
    }
    const after = await Promise.all(watched.map(query))
    for (const [index, name] of watched.entries()) {
      expect({
        name,
        rose: (after[index] ?? 0) > (before[index] ?? 0),
        isThere: before[index] !== undefined,
      }).toEqual({
        name,
        rose: true,
        isThere: true,
      })
    }
    expect(after[2]).toBe(300)
  }, 90_000)

  it('knows the target as up, and promtool finds nothing wrong with what it serves', async () => {
    expect(await query('up{job="sediment"}')).toBe(1)
    const text = await (await fetch(`${sediment.address}/metrics`)).text()
    await writeFile(join(folder, 'metrics.txt'), text)
    const checked = await run('promtool', ['check', 'metrics'], { input: text })
    expect(checked).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})
