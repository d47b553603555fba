// Goal: a record gets the time of the first source that has one within the bounds, and it can be seen which it was.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { TimePolicyRule, TimeSource } from '../../src/mapping/rule.ts'
import { accepted, anyMessage, ARRIVAL_MS, bytesOf, header, labelsOf, message } from './messages.ts'
import { mapperFor } from '../support/mapping/rules.ts'

const DAY_MS = 86_400_000
const US = ARRIVAL_MS * 1000
const nsHeader: TimeSource = { header: 'time', format: 'ns' }
const isoField: TimeSource = { json: '/meta/at', format: 'iso' }

const mapWith = (timestamp: Partial<TimePolicyRule>, overrides = {}) =>
  mapperFor({ timestamp }).map(message({ key: null, ...overrides }), ARRIVAL_MS)
const labelsWith = (...given: Parameters<typeof mapWith>) => {
  const { offset: _offset, ...labels } = labelsOf(accepted(mapWith(...given)))
  return labels
}
const json = (value: unknown) => bytesOf(JSON.stringify(value))

describe('the sources of a time', () => {
  const sources: TimeSource[] = [nsHeader, isoField, 'record', 'arrival']
  const iso = '2026-01-02T03:04:05.000007Z'
  const isoUs = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000 + 7

  it.each([
    ['the first, to the microsecond', { headers: [header('time', `${US - 1}999`)] }, US - 1, 'header:time'],
    ['the next where one is missing', { value: json({ meta: { at: iso } }) }, isoUs, 'json:/meta/at'],
    [
      'the next where one is no time',
      { headers: [header('time', 'soon')], value: json({ meta: { at: iso } }) },
      isoUs,
      'json:/meta/at',
    ],
    [
      'the next where one is out of bounds',
      { headers: [header('time', '-1')], value: json({ meta: { at: iso } }) },
      isoUs,
      'json:/meta/at',
    ],
    ['the record where the JSON is broken', { value: bytesOf('{"meta":{"at":') }, US - 1_000_000, undefined],
    ['the record where the field is a map', { value: json({ meta: { at: {} } }) }, US - 1_000_000, undefined],
    ['the record of a tombstone', { value: null }, US - 1_000_000, undefined],
    ['the arrival where nothing else has one', { timestampMs: -1 }, US, 'arrival'],
  ])('give %s', (_, overrides, timeUs, source) => {
    const record = accepted(mapWith({ sources }, overrides))

    expect(record.timestampUs).toBe(timeUs)
    expect(labelsOf(record)['ts_source']).toBe(source)
  })

  it('keep the time of the Kafka record as a label where another is taken', () => {
    const headers = [header('time', `${US}000`)]

    expect(labelsWith({ sources }, { headers })).toMatchObject({
      ts_source: 'header:time',
      ts_record: String(ARRIVAL_MS - 1000),
    })
    expect(labelsWith({ sources }, { headers, timestampMs: -1 })).not.toHaveProperty('ts_record')
  })

  it('without a last resort quarantine what has no time', () => {
    expect(mapWith({ sources: [nsHeader, 'record'] }, { timestampMs: -1 })).toEqual({
      rejected: 'no-time',
      detail: 'in header:time, record',
    })
  })
})

describe('the bounds', () => {
  const bounded = { sources: [{ json: '/t', format: 'us' }, 'arrival'], minMs: 1000 } as const

  it.each([
    [1_000_000, 1_000_000],
    [999_999, US],
    [US + DAY_MS * 1000 + 999, US + DAY_MS * 1000 + 999],
    [US + DAY_MS * 1000 + 1000, US],
  ])('of %d microseconds give %d', (written, timeUs) => {
    expect(accepted(mapWith(bounded, { value: json({ t: written }) })).timestampUs).toBe(timeUs)
  })

  it('send what is outside to quarantine where the rule says so', () => {
    const outcome = mapWith({ ...bounded, outside: 'quarantine' }, { value: json({ t: 999_999 }) })

    expect(outcome).toMatchObject({ rejected: 'time-out-of-bounds' })
  })

  it('never let a time pass that is outside, whatever a message says', () => {
    fc.assert(
      fc.property(
        anyMessage,
        fc.constantFrom('s', 'ms', 'us', 'ns', 'iso', 'iso-utc'),
        fc.oneof(
          fc.string(),
          fc.double().map(String),
          fc.bigInt().map(String),
          fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
        ),
        fc.nat(DAY_MS),
        fc.nat(DAY_MS),
        fc.constantFrom('next', 'quarantine', 'hold'),
        (one, format, written, minMs, aheadMsMax, outside) => {
          const sources: TimeSource[] = [{ header: 'time', format }, { json: '/t', format }, 'record']
          const outcome = mapperFor({ timestamp: { sources, minMs, aheadMsMax, outside } }).map(
            { ...one, headers: [header('time', written)], value: json({ t: written }) },
            ARRIVAL_MS,
          )

          if (!('target' in outcome)) {
            expect(outcome).toHaveProperty(
              'rejected',
              expect.stringMatching(/^(no-time|time-out-of-bounds|labels-too-large)$/),
            )
            return
          }
          expect(Number.isSafeInteger(outcome.timestampUs)).toBe(true)
          expect(outcome.timestampUs).toBeGreaterThanOrEqual(minMs * 1000)
          expect(outcome.timestampUs).toBeLessThanOrEqual((ARRIVAL_MS + aheadMsMax) * 1000 + 999)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('a batch that is ahead as a whole', () => {
  const ahead = (byMs: number) => message({ timestampMs: ARRIVAL_MS + DAY_MS + byMs })
  const holding = mapperFor({ timestamp: { outside: 'hold' } })

  it('holds the partition until the clock is there', () => {
    expect(holding.holdOf([ahead(7), ahead(5)], ARRIVAL_MS)).toMatchObject({
      held: 'clock',
      untilMs: ARRIVAL_MS + 5,
    })
    expect(holding.holdOf([ahead(7), ahead(5)], ARRIVAL_MS + 5)).toBeUndefined()
  })

  it('does not when one message is not, or the rule does not ask for it', () => {
    expect(holding.holdOf([ahead(7), message()], ARRIVAL_MS)).toBeUndefined()
    expect(holding.holdOf([], ARRIVAL_MS)).toBeUndefined()
    expect(mapperFor({}).holdOf([ahead(7)], ARRIVAL_MS)).toBeUndefined()
  })

  it('takes the next source for a single message', () => {
    expect(accepted(holding.map(ahead(7), ARRIVAL_MS)).timestampUs).toBe(US)
  })
})
