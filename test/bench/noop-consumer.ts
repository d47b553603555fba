/**
 * The peer: a stock kafkajs consumer whose `eachBatch` does nothing but count. A process of its own:
 *
 *     node --import tsx noop-consumer.ts '{"bootstrap": …, "topic": …, "groupId": …, "records": …, "fetch": {…}}'
 *
 * Prints `first` when the first batch arrives and `last SECONDS` when the last record has; then waits for its input to end.
 */
import kafkajs from 'kafkajs'

interface NoopOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly groupId: string
  readonly records: number
  /** Fetch options over kafkajs' defaults. */
  readonly fetch: { readonly maxBytes?: number; readonly maxBytesPerPartition?: number }
}

const { bootstrap, topic, groupId, records, fetch } = JSON.parse(process.argv[2] ?? '') as NoopOptions
const kafka = new kafkajs.Kafka({
  clientId: 'noop',
  brokers: [bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
})
const consumer = kafka.consumer({ groupId, ...fetch })

let seen = 0
let firstMs = 0

await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
await consumer.run({
  eachBatch: ({ batch }) => {
    if (seen === 0) {
      firstMs = performance.now()
      console.log('first')
    }
    seen += batch.messages.length
    if (seen === records) console.log(`last ${(performance.now() - firstMs) / 1000}`)
    return Promise.resolve()
  },
})

process.stdin.resume()
process.stdin.once('end', () => void consumer.disconnect().then(() => process.exit(0)))
