// Goal: two topics that could meet in one entry are found, and only those. Method: cases, and a property that maps
// real names with every partition and key of a small alphabet.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { findEntryConflicts } from '../../src/mapping/entry-conflicts.ts'
import { createMapper } from '../../src/mapping/mapper.ts'
import type { MappingRule } from '../../src/mapping/rule.ts'
import { accepted, ARRIVAL_MS, bytesOf, message } from './messages.ts'

const rule = (entry: string, change: Partial<MappingRule> = {}): MappingRule => ({
  ...defaultRule,
  entry,
  ...change,
})
const conflicting = (rules: readonly MappingRule[], topics: readonly string[]) =>
  findEntryConflicts(rules, topics).map((conflict) => conflict.topics.join(' '))

describe('entry conflicts', () => {
  it('are named with bucket, entry and topics', () => {
    expect(findEntryConflicts([defaultRule], ['a.b', 'c', 'a_b'])).toEqual([
      { bucket: 'kafka', entry: '{topic}/{partition}', topics: ['a.b', 'a_b'] },
    ])
  })

  it.each<[string, string[], string[]]>([
    ['{topic}/{partition}', ['wal', 'wal_', 'x'], ['wal wal_']],
    ['{topic}/{partition}', ['.a', '_a', 'a'], ['.a _a']],
    ['{topic}/{partition}', ['a', 'a', 'b'], []],
    ['{topic}{partition}', ['a', 'a1', 'ab'], ['a a1']],
    ['{topic}-{partition}', ['a', 'a-1', 'a-1-1'], []],
    ['{topic}-{key}', ['a', 'a-b'], ['a a-b']],
    ['{topic}/{key}', ['a', 'a-b'], []],
    ['{key}', ['a', 'b'], ['a b']],
    ['all', ['a', 'b', 'c'], ['a b', 'a c', 'b c']],
    ['{partition}/{topic}', ['a', 'b', 'a'], []],
  ])('of %s for %j are %j', (entry, topics, expected) => {
    expect(conflicting([rule(entry)], topics)).toEqual(expected)
  })

  it('do not cross buckets, and topics without a rule have none', () => {
    const rules = [rule('all', { topics: ['a'], bucket: 'x' }), rule('all', { topics: ['b'], bucket: 'y' })]

    expect(conflicting(rules, ['a', 'b', 'c', 'd'])).toEqual([])
  })

  it('are found between rules', () => {
    const rules = [rule('n/{partition}', { topics: ['a'] }), rule('{topic}/{key}', { topics: ['/./'] })]

    expect(conflicting(rules, ['a', 'n', 'm'])).toEqual(['a n'])
  })

  it('are there whenever two topics really meet', () => {
    const part = fc.constantFrom('{topic}', '{partition}', '{key}', 'a', '1', '-', '/')
    const template = fc
      .array(part, { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join(''))
      .filter((text) => text.split('/').every((segment) => segment !== ''))
    const topic = fc.string({ unit: fc.constantFrom('a', '1', '-', '.'), minLength: 1, maxLength: 3 })
    const keys = ['', 'a', '1', 'a-', '1a']

    fc.assert(
      fc.property(
        template,
        template,
        fc.uniqueArray(topic, { minLength: 2, maxLength: 2 }),
        (first, second, topics) => {
          const rules = [rule(first, { topics: [topics[0] as string] }), rule(second)]
          const mapper = createMapper(rules)
          const entriesOf = (name: string) =>
            [0, 1, 11].flatMap((partition) =>
              keys.map((key) => {
                const outcome = mapper
                  .forPartition(name, partition)
                  ?.map(message({ key: bytesOf(key) }), ARRIVAL_MS)
                return outcome && accepted(outcome).target.entry
              }),
            )
          const ofFirst = new Set(entriesOf(topics[0] as string))
          const doMeet = entriesOf(topics[1] as string).some((entry) => ofFirst.has(entry))

          if (doMeet) expect(findEntryConflicts(rules, topics)).toHaveLength(1)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
