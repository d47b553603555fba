/** Whether everything that was fed is stored, once and unchanged, as the command line tools read it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { digestMessage } from './identity.mjs'

/** Output of a `sediment` command, line by line. @throws {Error} on an exit code that is not accepted */
async function* sediment(binPath, args, exitCodes) {
  const child = spawn(process.execPath, [binPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  let complaints = ''
  child.stderr.on('data', (chunk) => (complaints = (complaints + chunk).slice(-2000)))
  yield* createInterface({ input: child.stdout, crlfDelay: Infinity })
  const [code] = await closed
  if (!exitCodes.includes(code)) throw new Error(`sediment ${args[0]} ended with ${code}: ${complaints}`)
}

/** The report of `sediment verify --json`: a directory after a clean stop has no findings. */
export async function verify(binPath, dataPath) {
  let text = ''
  for await (const line of sediment(binPath, ['verify', '--json', '--data', dataPath], [0, 1, 6]))
    text += line
  return JSON.parse(text)
}

function bytesOf(object, name) {
  const text = object[name]
  if (text !== undefined) return text === null ? null : Buffer.from(text)
  return Buffer.from(object[`${name}Base64`], 'base64')
}

function messageOf({ kafka, payload }) {
  return {
    key: bytesOf(kafka, 'key'),
    headers: kafka.headers.map((header) => [String(bytesOf(header, 'name')), bytesOf(header, 'value')]),
    value: kafka.tombstone === true ? null : Buffer.from(payload, 'base64'),
    timestampMs: kafka.timestampMs,
  }
}

/**
 * Compares the store with the book of what was fed.
 *
 * @param {string} binPath
 * @param {string} dataPath
 * @param {ReadonlyMap<string, string>} book digest by `topic/partition/offset`
 * @returns {Promise<Map<string, { fed: number, stored: number, missing: number, twice: number, altered: number,
 *   strange: number }>>} by `topic/partition`; `strange`: stored and never fed
 */
export async function compare(binPath, dataPath, book) {
  const rows = new Map()
  const rowOf = (place) => {
    if (!rows.has(place)) rows.set(place, { fed: 0, stored: 0, missing: 0, twice: 0, altered: 0, strange: 0 })
    return rows.get(place)
  }
  for (const id of book.keys()) rowOf(id.slice(0, id.lastIndexOf('/'))).fed++
  const seen = new Set()
  const args = ['query', 'kafka', '--json', '--payload', '--data', dataPath]
  for await (const line of sediment(binPath, args, [0])) {
    const record = JSON.parse(line)
    const { topic, partition, offset } = record.kafka
    const row = rowOf(`${topic}/${partition}`)
    const id = `${topic}/${partition}/${offset}`
    row.stored++
    if (seen.has(id)) row.twice++
    else if (!book.has(id)) row.strange++
    else if (book.get(id) !== digestMessage(messageOf(record))) row.altered++
    seen.add(id)
  }
  for (const id of book.keys()) if (!seen.has(id)) rowOf(id.slice(0, id.lastIndexOf('/'))).missing++
  return rows
}
