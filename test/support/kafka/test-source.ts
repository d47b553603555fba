import { silentLogger } from '../../../src/base/logger.ts'
import { KafkajsSource, type KafkajsSourceOptions } from '../../../src/kafka/kafkajs/kafkajs-source.ts'
import { realClock } from '../real-clock.ts'

/** A source with limits that suit tests; the caller stops it. */
export function testSource(
  options: Pick<KafkajsSourceOptions, 'brokers' | 'groupId' | 'topics'> & Partial<KafkajsSourceOptions>,
): KafkajsSource {
  return new KafkajsSource({
    clientId: 'test',
    startTimeoutMs: 20_000,
    sessionTimeoutMs: 10_000,
    maxBytes: 8 << 20,
    maxBytesPerPartition: 1 << 20,
    decompressedBytesMax: 64 << 20,
    maxWaitMs: 100,
    logger: silentLogger,
    clock: realClock,
    ...options,
  })
}
