/** Fast load from Kafka's own ProducerPerformance. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { kafkaDistribution } from './distribution.mjs'

const run = promisify(execFile)

/**
 * Produces `recordCount` records as fast as the tool can (or at `recordsPerSecond`) and resolves when all are
 * acknowledged.
 *
 * @param {object} options
 * @param {string} options.bootstrap
 * @param {string} options.topic must exist
 * @param {number} options.recordCount
 * @param {number} [options.recordBytes] random content of this length; either this or `payloadPath`
 * @param {string} [options.payloadPath] a file with one value a line, taken at random
 * @param {number} [options.recordsPerSecond] default: no limit
 * @param {'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'} [options.compression]
 * @param {Record<string, string>} [options.properties] of the producer, over the defaults
 * @param {AbortSignal} [options.signal] ends the tool early; the promise then rejects
 * @returns {Promise<{ recordCount: number, recordsPerSecond: number, summary: string }>}
 */
export async function produceLoad({
  bootstrap,
  topic,
  recordCount,
  recordBytes,
  payloadPath,
  recordsPerSecond = -1,
  compression = 'none',
  properties = {},
  signal,
}) {
  const { version, java, classPath, loggingOption } = await kafkaDistribution()
  const producer = {
    'bootstrap.servers': bootstrap,
    acks: '1',
    'batch.size': '262144',
    'linger.ms': '5',
    'buffer.memory': '268435456',
    'max.request.size': '67108864',
    'compression.type': compression,
    ...properties,
  }
  const { stdout } = await run(
    java,
    [
      '-Xmx1g',
      '-XX:+UseParallelGC',
      loggingOption('tool'),
      '-cp',
      classPath,
      'org.apache.kafka.tools.ProducerPerformance',
      '--topic',
      topic,
      '--num-records',
      String(recordCount),
      ...(payloadPath === undefined
        ? ['--record-size', String(recordBytes)]
        : ['--payload-file', payloadPath]),
      '--throughput',
      String(recordsPerSecond),
      version.startsWith('3.') ? '--producer-props' : '--command-property',
      ...Object.entries(producer).map(([key, value]) => `${key}=${value}`),
    ],
    { signal, maxBuffer: 64 << 20 },
  )
  const summary = stdout.trim().split('\n').at(-1)
  const counted = /^(\d+) records sent, ([\d.]+) records\/sec/.exec(summary)
  if (counted === null || Number(counted[1]) !== recordCount) {
    throw new Error(`ProducerPerformance sent fewer than ${recordCount} records: ${summary}`)
  }
  return { recordCount, recordsPerSecond: Number(counted[2]), summary }
}
