// Goal: two topics that could meet in one entry are found, and only those. Method: cases, and a property that maps
// real names with every partition and key of a small alphabet.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { findEntryConflicts } from '../../src/mapping/entry-conflicts.ts'
import { createMapper } from '../../src/mapping/mapper.ts'
import type { MappingRule } from '../../src/mapping/rule.ts'
import { accepted, ARRIVAL_MS, bytesOf, header, message } from './messages.ts'

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
      { isCertain: true, bucket: 'kafka', entry: '{topic}/{partition}', topics: ['a.b', 'a_b'] },
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
    const open = ['{key}', '{header:a}', '{json:/a/b}']
    const part = fc.constantFrom('{topic}', '{partition}', '{HH}', ...open, 'a', '1', '-', '/')
    const template = fc
      .array(part, { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join(''))
      .filter((text) => /^[^/]/.test(text) && !/\/\/|\/$/.test(text))
    const bucket = fc.constantFrom('a', 'b', '{topic}', 'b{key}')
    const topic = fc.string({ unit: fc.constantFrom('a', '1', '-', '.'), minLength: 1, maxLength: 3 })
    const texts = ['', 'a', '1', 'a-', '1a', '03']

    fc.assert(
      fc.property(
        fc.tuple(bucket, template),
        fc.tuple(bucket, template),
        fc.uniqueArray(topic, { minLength: 2, maxLength: 2 }),
        ([firstBucket, first], [secondBucket, second], topics) => {
          const rules = [
            rule(first, { topics: [topics[0] as string], bucket: firstBucket }),
            rule(second, { bucket: secondBucket }),
          ]
          const pathsOf = (name: string) => {
            const mapper = createMapper(rules)
            return [0, 1, 11].flatMap((partition) =>
              texts.map((text) => {
                const one = message({
                  key: bytesOf(text),
                  headers: [header('a', text)],
                  value: bytesOf(JSON.stringify({ a: { b: text } })),
                })
                const outcome = mapper.forPartition(name, partition)?.map(one, ARRIVAL_MS)
                const target = outcome && accepted(outcome).target
                return `${target?.bucket}/${target?.entry}`
              }),
            )
          }
          const ofFirst = new Set(pathsOf(topics[0] as string))
          const doMeet = pathsOf(topics[1] as string).some((path) => ofFirst.has(path))
          const isOpen = [first, second, firstBucket, secondBucket].some((one) =>
            open.some((token) => one.includes(token)),
          )

          const conflicts = findEntryConflicts(rules, topics)
          if (doMeet) expect(conflicts).toMatchObject([{ isCertain: !isOpen }])
        },
      ),
      { numRuns: 2000 },
    )
  })
})
