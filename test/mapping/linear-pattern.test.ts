// Goal: a pattern matches what the same expression of JavaScript matches, in a time that grows with the text only.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { linearPattern } from '../../src/mapping/linear-pattern.ts'
import { PatternError } from '../../src/mapping/pattern-parser.ts'

const { pattern } = fc.letrec<{ pattern: string; atom: string; repeated: string }>((tie) => ({
  pattern: fc.oneof(
    { maxDepth: 3 },
    tie('repeated'),
    fc.array(tie('repeated'), { maxLength: 3 }).map((parts) => parts.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map(([left, right]) => `${left}|${right}`),
  ),
  repeated: fc
    .tuple(tie('atom'), fc.constantFrom('', '', '', '*', '+', '?', '*?', '{2}', '{0,2}', '{1,}'))
    .map(([atom, repeat]) => atom + repeat),
  atom: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      'a',
      'b',
      '-',
      '1',
      'ü',
      '.',
      '\\d',
      '\\W',
      '\\s',
      '\\S',
      '\\w',
      '\\D',
      '\\.',
      '\\n',
      '\\/',
    ),
    fc.constantFrom('[ab]', '[^a]', '[a-c]', '[\\d-]', '[-a]', '[^\\s1]', '[]', '[^]', '[\\]a]', '[a^]'),
    fc.constantFrom('(^)', '($)', '()'),
    tie('pattern').map((inner) => `(${inner})`),
    tie('pattern').map((inner) => `(?:${inner})`),
  ),
}))
const text = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', '1', '-', ' ', 'ü', '\n', '.', '😀'),
  maxLength: 8,
})

describe('a pattern', () => {
  it('matches what the expression matches', () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 5 }), (source, texts) => {
        const expression = new RegExp(source)
        const linear = linearPattern(source)
        for (const one of texts) expect([one, linear.test(one)]).toEqual([one, expression.test(one)])
      }),
      { numRuns: 5000 },
    )
  })

  it.each([
    ['^a', 'ba', false],
    ['a$', 'ba', true],
    ['^(?:sensor|meter)-\\d{1,3}$', 'meter-042', true],
    ['^(?:sensor|meter)-\\d{1,3}$', 'meter-0421', false],
    ['', 'x', true],
  ])('%s on %s: %s', (source, one, isMatch) => {
    expect(linearPattern(source).test(one)).toBe(isMatch)
  })

  it.each([
    ['(a', '( without )'],
    ['a)', ') without ('],
    ['[a', '[ without ]'],
    ['*', 'nothing to repeat'],
    ['a**', 'nothing to repeat'],
    ['^*', 'cannot repeat'],
    ['a{', 'write \\{'],
    ['a{2,1}', 'at most'],
    ['a{1000}', 'at most'],
    ['(a)\\1', '\\1 is not there'],
    ['\\bx', '\\b is not there'],
    ['(?=a)', 'only (?:'],
    ['(?<n>a)', 'only (?:'],
    ['[b-a]', 'a range'],
    ['[\\d-z]', 'a range'],
    ['\\', 'is not there'],
    [']', 'write \\]'],
    ['((((a{50}){50}){50}){50})', 'too much'],
    ['(((((){100}){100}){100}){100})', 'too much'],
    ['('.repeat(40), 'too many groups'],
    ['a'.repeat(2000), 'at most'],
  ])('is refused: %s', (source, why) => {
    expect(() => linearPattern(source)).toThrow(PatternError)
    expect(() => linearPattern(source)).toThrow(why)
  })

  it('is a pattern or refused, whatever is written', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'ab()[]{}*+?|^$\\.-,12'), maxLength: 12 }),
        (source) => {
          try {
            linearPattern(source).test('ab')
          } catch (error) {
            expect(error).toBeInstanceOf(PatternError)
          }
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('takes steps in proportion to the text where backtracking takes them without end', () => {
    const worst = linearPattern('^(?:a|a)*(?:a*)*(?:a+)+$')
    const one = `${'a'.repeat(4000)}b`
    const startedAt = process.cpuUsage()

    expect(worst.test(one)).toBe(false)
    // Backtracking would outlive the test run.
    expect(process.cpuUsage(startedAt).user).toBeLessThan(2_000_000)
  })
})
