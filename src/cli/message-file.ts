import { readFileSync } from 'node:fs'
import type { KafkaMessage } from '../mapping/message.ts'
import { UsageError } from './usage-error.ts'

/**
 * A message given as JSON: `value` (text, null, or any other JSON), `valueBase64`, `key` (text or null), `keyBase64`,
 * `headers` (a map of names and texts or null), `timestampMs`, `offset`. All may be left out.
 *
 * @throws {UsageError}
 */
export function readMessageFile(path: string): KafkaMessage {
  let given: unknown
  try {
    given = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UsageError(
      `--message ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new UsageError(`--message ${path} must hold a map with value, key, headers, timestampMs`)
  return messageOf(given as Readonly<Record<string, unknown>>)
}

function messageOf(given: Readonly<Record<string, unknown>>): KafkaMessage {
  const { offset = 0, timestampMs = -1, headers = {} } = given
  const unknown = Object.keys(given).find((name) => !FIELDS.has(name))
  if (unknown !== undefined)
    throw new UsageError(`a message has no ${unknown}, only ${[...FIELDS].join(', ')}`)
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(timestampMs))
    throw new UsageError('offset and timestampMs of a message are whole numbers')
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers))
    throw new UsageError('headers of a message are a map of names and texts')
  return {
    offset: offset as number,
    timestampMs: timestampMs as number,
    key: bytesOf(given['key'], given['keyBase64']),
    value: bytesOf(given['value'], given['valueBase64']),
    headers: Object.entries(headers).map(([name, value]) => ({
      name: Buffer.from(name),
      value: bytesOf(value, undefined),
    })),
  }
}

const FIELDS: ReadonlySet<string> = new Set([
  ...['value', 'valueBase64', 'key', 'keyBase64', 'headers', 'timestampMs', 'offset'],
])

function bytesOf(value: unknown, base64: unknown): Uint8Array | null {
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64')
  if (value === undefined || value === null) return null
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}
