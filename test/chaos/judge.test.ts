import { describe, expect, test } from '@jest/globals'
import { cutWithoutReason, judge, sharedOffsets, type StoreContent } from './judge.ts'
import { tenuresOf, type Tenure } from './tenures.ts'

const upTo = (next: number, from = 0): number[] => Array.from({ length: next - from }, (_, i) => from + i)
const kafka = new Map([['t/0', { crcs: upTo(100) }]])
const store = (name: string, offsets: readonly number[]): StoreContent => ({
  store: name,
  offsets: new Map([['t/0', offsets]]),
})
const tenure = (name: string, startMs: number, from: number, end: Tenure['end']): Tenure => ({
  store: name,
  epoch: startMs,
  startMs,
  offsets: new Map([['t/0', from]]),
  end,
})

describe('what the stores hold together', () => {
  test('is whole when each offset is in one of them', () => {
    const { missing, shared } = judge(kafka, [store('a', upTo(60)), store('b', upTo(100, 60))], [])
    expect([missing, shared]).toEqual([[], []])
  })

  test('is not whole when an offset is in none', () => {
    const { missing } = judge(kafka, [store('a', upTo(60)), store('b', upTo(100, 61))], [])
    expect(missing).toEqual(['t/0@60'])
  })

  test('may be there twice where an epoch was cut, from where the next one began', () => {
    const stores = [store('a', upTo(60)), store('b', upTo(100, 50))]
    const tenures = [tenure('a', 1, 0, 'cut'), tenure('b', 2, 50, 'given-back')]
    const { shared, unexplained } = judge(kafka, stores, tenures)
    expect(sharedOffsets(shared)).toBe(10)
    expect(unexplained).toEqual([])
  })

  test('may not be there twice after a planned move', () => {
    const stores = [store('a', upTo(60)), store('b', upTo(100, 50))]
    const tenures = [tenure('a', 1, 0, 'given-back'), tenure('b', 2, 50, 'given-back')]
    expect(judge(kafka, stores, tenures).unexplained).toHaveLength(1)
  })

  test('may not be there twice where the cut epoch was a third one, or a later one', () => {
    const stores = [store('a', upTo(60)), store('b', upTo(100, 50))]
    const clean = [tenure('a', 1, 0, 'given-back'), tenure('b', 2, 50, 'given-back')]
    expect(judge(kafka, stores, [...clean, tenure('c', 1, 0, 'cut')]).unexplained).toHaveLength(1)
    expect(judge(kafka, stores, [...clean, tenure('a', 3, 100, 'cut')]).unexplained).toHaveLength(1)
  })
})

test('an epoch is cut for no reason where nothing was done to its store or to a broker', () => {
  const cut = { ...tenure('a', 1_000, 0, 'cut'), endMs: 50_000 }
  const done = (store: string | undefined, startMs: number, endMs: number) => [{ store, startMs, endMs }]
  expect(cutWithoutReason([cut], [])).toEqual([cut])
  expect(cutWithoutReason([cut], done('b', 40_000, 60_000))).toEqual([cut])
  expect(cutWithoutReason([cut], done('a', 60_000, 70_000))).toEqual([cut])
  expect(cutWithoutReason([cut], done('a', 1_000, 20_000))).toEqual([cut])
  expect(cutWithoutReason([cut], done('a', 40_000, 60_000))).toEqual([])
  expect(cutWithoutReason([cut], done(undefined, 10_000, 40_000))).toEqual([])
  expect(cutWithoutReason([tenure('a', 1_000, 0, 'cut')], [])).toEqual([])
  expect(cutWithoutReason([{ ...cut, end: 'given-back' }], [])).toEqual([])
})

describe('the epochs of a process', () => {
  const line = (facts: object): string =>
    `${JSON.stringify({ time: '2026-01-01T00:00:00.000Z', ...facts })}\n`
  const begun = (epoch: number): string =>
    line({ message: 'reading goes on at', epoch, offsets: ['a/b/0@5', 'a/b/1@0'] })

  test('begin where its log says', () => {
    const [only] = tenuresOf('a', begun(1))
    expect(only).toMatchObject({ store: 'a', epoch: 1, startMs: Date.UTC(2026, 0, 1), end: 'cut' })
    expect([...only!.offsets]).toEqual([
      ['a/b/0', 5],
      ['a/b/1', 0],
    ])
  })

  test('are cut unless all was committed when they ended', () => {
    const given = (epoch: number, partitionsUncommitted: number, recordsInFlight = 0): string =>
      line({ message: 'partitions given back', epoch, partitionsUncommitted, recordsInFlight })
    const log =
      begun(1) +
      given(1, 0) +
      begun(2) +
      given(2, 1) +
      begun(3) +
      given(3, 0, 7) +
      begun(4) +
      '{"message":"par'
    expect(tenuresOf('a', log).map(({ end }) => end)).toEqual(['given-back', 'cut', 'cut', 'cut'])
  })

  test('end well with a process that stopped with everything committed', () => {
    const stopped = (isComplete: boolean): string => line({ message: 'stopped', isComplete })
    expect(tenuresOf('a', begun(1) + stopped(true))[0]!.end).toBe('given-back')
    expect(tenuresOf('a', begun(1) + stopped(false))[0]!.end).toBe('cut')
  })
})
