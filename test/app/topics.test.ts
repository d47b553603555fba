import { describe, expect, it } from '@jest/globals'
import { checkTopics } from '../../src/app/check-topics.ts'
import { guardTopics } from '../../src/app/topic-guard.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { createMapper } from '../../src/mapping/mapper.ts'

const rules = [{ ...defaultRule, exclude: ['left-out'] }]

describe('checkTopics', () => {
  it('passes topics that keep apart, and expressions', () => {
    expect(() => checkTopics(rules, ['a.b', 'a', '/a_b/'])).not.toThrow()
  })
  it('refuses topics that would share an entry, and topics without a rule', () => {
    expect(() => checkTopics(rules, ['a.b', 'a_b'])).toThrow(/topics a\.b and a_b would share/)
    expect(() => checkTopics(rules, ['left-out'])).toThrow('names left-out, but no rule')
  })
})

describe('guardTopics', () => {
  it('gives no mapper to a topic that would share an entry with one that came before, or is stored', () => {
    const errors: object[] = []
    const logger = { ...silentLogger, error: (facts: object) => void errors.push(facts) }
    const mapper = guardTopics(createMapper(rules), rules, ['x.y'], logger)
    expect(mapper.forPartition('a.b', 0)).toBeDefined()
    expect(mapper.forPartition('a_b', 0)).toBeUndefined()
    expect(mapper.forPartition('a_b', 1)).toBeUndefined()
    expect(mapper.forPartition('x_y', 0)).toBeUndefined()
    expect(mapper.forPartition('x.y', 0)).toBeDefined()
    expect(mapper.forPartition('a.b', 1)).toBeDefined()
    expect(errors).toHaveLength(2)
  })
  it('looks at a new topic alone, however many there are, and still finds the one that it would meet', () => {
    const count = 5000
    let reads = 0
    const counted = rules.map((rule) => ({
      ...rule,
      get entry(): string {
        reads++
        return rule.entry
      },
    }))
    const mapper = guardTopics(createMapper(rules), counted, [], silentLogger)
    for (let number = 0; number < count; number++) mapper.forPartition(`topic.${number}`, 0)
    expect(reads).toBeLessThanOrEqual(3 * count)
    expect(mapper.forPartition('topic_4711', 0)).toBeUndefined()
    expect(mapper.forPartition('topic-4711', 0)).toBeDefined()
  })
})
