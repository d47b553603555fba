import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBroker } from '../../dev/kafka/broker.mjs'
import { produceLoad } from '../../dev/kafka/load.mjs'
import { createTopics } from '../../dev/kafka/protocol.mjs'
import { peakRssBytes } from '../bench/process-usage.ts'
import { freePorts, startSediment } from '../deployment/sediment-process.ts'
import { requireTool } from '../support/needs.ts'

const MIB = 1024 * 1024
const RECORD_BYTES = 31_000_000
const RECORDS = 10
/** The peak is kept by the kernel: it has to be read before the process ends, not when it is reached. */
const POLL_MS = 20

const describeWithKafka = requireTool('java') ? describe : describe.skip

/** These run the built program: `npm run build` first. */
describeWithKafka('messages of 31 MB', () => {
  let folder: string
  let broker: Awaited<ReturnType<typeof startBroker>>

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sediment-large-'))
    broker = await startBroker()
    const config = { 'max.message.bytes': '67108864' }
    await createTopics(broker.bootstrap, [
      { name: 'plain', partitions: 2, config },
      { name: 'lz4', partitions: 2, config },
    ])
  }, 120_000)

  afterAll(async () => {
    await broker?.stop()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  it.each([
    // Seen were 180 and 365 MiB.
    ['plain', 'none', 300 * MIB],
    ['lz4', 'lz4', 450 * MIB],
  ] as const)(
    'are all stored in a container of 512 MiB with the default budget: %s',
    async (topic, compression, rssBytesMax) => {
      await produceLoad({
        bootstrap: broker.bootstrap,
        topic,
        recordCount: RECORDS,
        recordBytes: RECORD_BYTES,
        compression,
        properties: { 'batch.size': '1', 'linger.ms': '0' },
      })
      const [port = 0] = await freePorts(1)
      const dataPath = join(folder, topic)
      const settings = [
        `kafka.brokers=${broker.bootstrap}`,
        `kafka.groupId=${topic}`,
        `kafka.topics=${topic}`,
        `http.port=${port}`,
        `dataPath=${dataPath}`,
      ]
      const sediment = startSediment(
        ['run', '--until-caught-up', ...settings.flatMap((setting) => ['--set', setting])],
        port,
      )
      let peakBytes = 0
      const timer = setInterval(() => {
        peakBytes = Math.max(peakBytes, peakRssBytes(sediment.pid) ?? 0)
      }, POLL_MS)
      const code = await sediment.ended
      clearInterval(timer)

      expect({ code, log: code === 0 ? '' : sediment.log() }).toEqual({ code: 0, log: '' })
      expect(peakBytes).toBeGreaterThan(0)
      expect(peakBytes).toBeLessThan(rssBytesMax)
      const verify = startSediment(['verify', '--json', '--data', dataPath], 0)
      expect(await verify.ended).toBe(0)
      expect(JSON.parse(verify.log())).toMatchObject({
        records: RECORDS,
        contentChecked: RECORDS,
        contentBytes: RECORDS * RECORD_BYTES,
      })
    },
    120_000,
  )
})
