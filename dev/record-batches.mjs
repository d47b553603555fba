/**
 * Makes the record batches of other clients that `test/kafka/kafkajs/foreign-batches` holds, anew: messages produced by
 * the Java client and by librdkafka (kcat) to a real broker with every codec, taken from its log segments.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startBroker } from './kafka/broker.mjs'
import { kafkaDistribution } from './kafka/distribution.mjs'
import { createTopics } from './kafka/protocol.mjs'

const run = promisify(execFile)
const here = path.dirname(fileURLToPath(import.meta.url))
const target = path.join(here, '../test/kafka/kafkajs/foreign-batches')
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const TRANSACTIONS = 'java-transactions-lz4'
/** Entries of the index of aborted transactions: version, producer id, first, last and last stable offset. */
const TXN_ENTRY_BYTES = 34

const bytesOf = (content) =>
  content === null
    ? null
    : typeof content === 'string'
      ? Buffer.from(content)
      : content.base64 === undefined
        ? Buffer.from(content.text.repeat(content.times))
        : Buffer.from(content.base64, 'base64')

async function feed(command, args, input) {
  const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] })
  // A command that has ended is told by its exit code.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${command} ended with ${code}`)
}

function javaLines({ java, transactions, baseMs }) {
  const field = (content) => (content === null ? '-' : bytesOf(content).toString('base64'))
  const send = ({ key, value, headers, afterMs = 0 }) =>
    ['send', baseMs + afterMs, field(key), field(value), ...headers.flat().map(field)].join('\t')
  const plain = CODECS.flatMap((codec) => [`use\tjava-${codec}\t${codec}`, ...java.map(send)])
  const transactional = transactions.flatMap(({ messages, end }) => [
    'begin',
    ...java.slice(0, messages).map(send),
    end,
  ])
  return [...plain, `use\t${TRANSACTIONS}\tlz4\tfixture`, ...transactional, ''].join('\n')
}

/** kcat gives all messages of a run the same headers, and makes null of every empty key and value or of none. */
async function produceByKcat(bootstrap, topic, codec, messages) {
  const groups = new Map()
  for (const message of messages) {
    const name = JSON.stringify(message.headers)
    groups.set(name, [...(groups.get(name) ?? []), message])
  }
  for (const [name, group] of groups) {
    const headers = JSON.parse(name)
    const options = headers.flatMap(([key, value]) => ['-H', value === null ? key : `${key}=${value}`])
    const lines = group.map(({ key, value }) => `${bytesOf(key) ?? ''}\t${bytesOf(value) ?? ''}\n`)
    const asNull = headers.length === 0 ? ['-Z'] : []
    await feed(
      'kcat',
      ['-P', '-b', bootstrap, '-t', topic, '-p', '0', '-z', codec, '-K', '\t', '-X', 'linger.ms=500']
        .concat(options)
        .concat(asNull),
      lines.join(''),
    )
  }
}

/** What librdkafka reads: times were chosen by the producer. */
async function timesByKcat(bootstrap, topic) {
  const args = ['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%T\n']
  const { stdout } = await run('kcat', args)
  return stdout.trim().split('\n').map(Number)
}

/** All of one kind, in the order of offsets: a marker of now is not put beside messages of years ago. */
async function segments(dataPath, topic, ending) {
  const directory = path.join(dataPath, 'log', `${topic}-0`)
  const names = (await readdir(directory)).filter((name) => name.endsWith(ending)).sort()
  return Buffer.concat(await Promise.all(names.map((name) => readFile(path.join(directory, name)))))
}

function abortedIn(index) {
  const aborted = []
  for (let at = 0; at + TXN_ENTRY_BYTES <= index.length; at += TXN_ENTRY_BYTES)
    aborted.push({
      producerId: Number(index.readBigInt64BE(at + 2)),
      firstOffset: Number(index.readBigInt64BE(at + 10)),
    })
  return aborted
}

const messages = JSON.parse(await readFile(path.join(target, 'messages.json'), 'utf8'))
const dataPath = await mkdtemp(path.join(tmpdir(), 'sediment-batches-'))
try {
  const topics = [...CODECS.flatMap((codec) => [`java-${codec}`, `librdkafka-${codec}`]), TRANSACTIONS]
  const times = {}
  const broker = await startBroker({ dataPath })
  try {
    const { bootstrap } = broker
    await createTopics(
      bootstrap,
      topics.map((name) => ({ name, partitions: 1, config: {} })),
    )
    const { java, classPath, loggingOption } = await kafkaDistribution()
    const program = path.join(here, 'kafka/ProduceMessages.java')
    await feed(java, [loggingOption('tool'), '-cp', classPath, program, bootstrap], javaLines(messages))
    for (const codec of CODECS) {
      const topic = `librdkafka-${codec}`
      await produceByKcat(bootstrap, topic, codec, messages.librdkafka)
      times[topic] = await timesByKcat(bootstrap, topic)
    }
  } finally {
    await broker.stop()
  }
  for (const topic of topics)
    await writeFile(path.join(target, `${topic}.batches`), await segments(dataPath, topic, '.log'))
  const aborted = abortedIn(await segments(dataPath, TRANSACTIONS, '.txnindex'))
  const known = `${JSON.stringify({ times, aborted }, undefined, 2)}\n`
  await writeFile(path.join(target, 'told-by-kafka.json'), known)
} finally {
  await rm(dataPath, { recursive: true })
}
