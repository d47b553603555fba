import fc from 'fast-check'
import type { MapOutcome } from '../../src/mapping/rejection.ts'
import type { KafkaMessage, MessageHeader } from '../../src/mapping/message.ts'
import type { RecordWrite } from '../../src/storage/index.ts'
import { anyCharacter } from '../support/characters.ts'

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export const ARRIVAL_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

export function message(overrides: Partial<KafkaMessage> = {}): KafkaMessage {
  return {
    offset: 17,
    timestampMs: ARRIVAL_MS - 1000,
    key: bytesOf('sensor-1'),
    value: bytesOf('content'),
    headers: [],
    ...overrides,
  }
}

export function header(name: string, value: string | null): MessageHeader {
  return { name: bytesOf(name), value: value === null ? null : bytesOf(value) }
}

export function accepted(outcome: MapOutcome): RecordWrite {
  if ('target' in outcome) return outcome
  throw new Error(`not accepted: ${JSON.stringify(outcome)}`)
}

export function labelsOf(record: RecordWrite): Record<string, string> {
  const pairs: Record<string, string> = {}
  record.labels.forEach((text, index) => {
    if (index % 2 === 0) pairs[text] = record.labels[index + 1] as string
  })
  return pairs
}

/** Any bytes, and often text at the edges of what a label can carry. */
export const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: anyCharacter, maxLength: 20 }).map(bytesOf),
  fc.string({ maxLength: 20 }).map(bytesOf),
  fc
    .constantFrom(
      '',
      ' ',
      ' a',
      'a ',
      '"',
      '"a',
      'a"b',
      'a",b',
      'a,b',
      '=',
      '@',
      'null',
      'ünï',
      '\t',
      '\u007f',
    )
    .map(bytesOf),
)

const awkwardNames = [
  'a',
  'A',
  'a.b',
  'a_b',
  'h_a',
  'h_',
  'offset',
  'Offset',
  'h_offset',
  'key',
  'topic',
  'partition',
  'ts_source',
  'site',
  'kafka-key64',
  'kafka-headers',
  'kafka-value',
  'constructor',
  '__proto__',
  'toString',
  'x=y',
  '@time',
  'a,b',
  '',
]

const anyHeaders: fc.Arbitrary<MessageHeader[]> = fc.array(
  fc.record({
    name: fc.oneof(fc.constantFrom(...awkwardNames).map(bytesOf), anyBytes),
    value: fc.option(anyBytes),
  }),
  { maxLength: 8 },
)

export const anyMessage: fc.Arbitrary<KafkaMessage> = fc.record({
  offset: fc.maxSafeNat(),
  timestampMs: fc.oneof(
    fc.constantFrom(-1, -2, 0, 1, ARRIVAL_MS, ARRIVAL_MS + 86_400_000, ARRIVAL_MS + 86_400_001),
    fc.integer({ min: 0, max: ARRIVAL_MS }),
    fc.maxSafeInteger(),
  ),
  key: fc.option(anyBytes),
  value: fc.option(fc.uint8Array({ maxLength: 20 })),
  headers: anyHeaders,
})
