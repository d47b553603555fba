// Goal: the scanner finds what JSON.parse and a walk along the pointer find, and refuses what JSON.parse refuses.
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isJsonPointer } from '../../src/mapping/json-pointer.ts'
import { jsonBytesMax, jsonDepthMax, JsonScan, type JsonValue } from '../../src/mapping/json-scan.ts'
import { anyCharacter } from '../support/characters.ts'
import { bytesOf } from './messages.ts'

const scan = (text: string, ...pointers: string[]) => new JsonScan(pointers).scan(bytesOf(text))

/** As RFC 6901 says it; `undefined` for nothing. */
function walk(value: unknown, pointer: string): unknown {
  let place: unknown = value
  for (const raw of pointer.split('/').slice(1)) {
    const name = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof place !== 'object' || place === null) return undefined
    if (Array.isArray(place) && !/^(0|[1-9]\d*)$/.test(name)) return undefined
    if (!Object.hasOwn(place, name)) return undefined
    place = (place as Record<string, unknown>)[name]
  }
  return place
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function valueOf({ type, text }: JsonValue): unknown {
  if (type === 'object' || type === 'array') return undefined
  return type === 'string' ? text : JSON.parse(text)
}

const names = fc.constantFrom('a', 'b', '', '0', '1', 'a/b', '~', 'ü', '"', '\\', '__proto__')
const pointer = fc
  .array(names, { maxLength: 3 })
  .map((parts) => parts.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''))
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('list'), tie('map')),
  leaf: fc.oneof(fc.string({ unit: anyCharacter }), fc.double(), fc.boolean(), fc.constant(null)),
  list: fc.array(tie('tree'), { maxLength: 3 }),
  map: fc.array(fc.tuple(names, tie('tree')), { maxLength: 3 }).map((pairs) => Object.fromEntries(pairs)),
}))

describe('the scanner', () => {
  it('finds what a parser and a walk find', () => {
    fc.assert(
      fc.property(
        tree,
        fc.array(pointer, { maxLength: 4 }),
        fc.constantFrom(undefined, 1),
        (value, pointers, space) => {
          const text = JSON.stringify(value, undefined, space)
          const found = scan(text, ...pointers)
          const parsed: unknown = JSON.parse(text)

          expect(Array.isArray(found)).toBe(true)
          pointers.forEach((one, index) => {
            const expected = walk(parsed, one)
            const actual = (found as (JsonValue | undefined)[])[index]
            expect(actual?.type).toBe(expected === undefined ? undefined : typeOf(expected))
            if (actual !== undefined && typeof expected !== 'object') expect(valueOf(actual)).toBe(expected)
          })
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('refuses what a parser refuses, and nothing else', () => {
    const piece = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '"',
        '\\',
        'u12',
        '00ff',
        'a',
        '-',
        '0',
        '1',
        '.',
        'e',
        '+',
        ' ',
        '\n',
      ],
      ...[
        'true',
        'false',
        'null',
        'tru',
        '"a"',
        '"a":1',
        '[1,2]',
        '{"a":{}}',
        '\u0000',
        '\u00a0',
        'ü',
        '\ufeff',
      ],
    )
    const text = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
      fc
        .tuple(
          tree.map((value) => JSON.stringify(value)),
          fc.nat(),
          piece,
          fc.boolean(),
        )
        .map(([json, at, one, isInsert]) => {
          const place = json.length === 0 ? 0 : at % json.length
          return json.slice(0, place) + one + json.slice(place + (isInsert ? 0 : 1))
        }),
    )
    fc.assert(
      fc.property(text, (json) => {
        let isJson = true
        try {
          JSON.parse(json)
        } catch {
          isJson = false
        }
        expect(scan(json, '/a')).toEqual(
          isJson ? [expect.anything()].map(() => scan(json, '/a')[0]) : 'malformed',
        )
      }),
      { numRuns: 5000 },
    )
  })

  it('keeps numbers as they are written', () => {
    expect(scan('{"ns":1700000000123456789,"x":1.50e3}', '/ns', '/x')).toEqual([
      { type: 'number', text: '1700000000123456789' },
      { type: 'number', text: '1.50e3' },
    ])
  })

  it.each([
    ['{"a":1,"a":2}', '2'],
    ['{"a":{"b":1},"a":2}', '2'],
    ['{"\\u0061":3}', '3'],
  ])('takes the last of a repeated name, however it is written: %s', (json, text) => {
    expect(scan(json, '/a')).toEqual([{ type: 'number', text }])
  })

  it('forgets what was below a name that comes again', () => {
    expect(scan('{"a":{"b":1},"a":{}}', '/a/b')).toEqual([undefined])
  })

  it('does not look at a text that is too large or too deep', () => {
    const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

    expect(scan(deep(jsonDepthMax), '')).toEqual([{ type: 'array', text: '' }])
    expect(scan(deep(jsonDepthMax + 1), '')).toBe('too-deep')
    expect(new JsonScan(['']).scan(Buffer.alloc(jsonBytesMax, '1'))).toHaveLength(1)
    expect(new JsonScan(['']).scan(Buffer.alloc(jsonBytesMax + 1, '1'))).toBe('too-large')
  })

  it('does not mix messages', () => {
    const two = new JsonScan(['/a', '/b'])

    expect(two.scan(bytesOf('{"a":"x"}'))).toEqual([{ type: 'string', text: 'x' }, undefined])
    expect(two.scan(bytesOf('{"b":1'))).toBe('malformed')
    expect(two.scan(bytesOf('{"b":1}'))).toEqual([undefined, { type: 'number', text: '1' }])
  })
})

describe('a pointer', () => {
  it.each([
    ['', true],
    ['/', true],
    ['/a~0~1/0', true],
    ['a', false],
    ['/a~2', false],
    ['/~', false],
  ])('%j: %s', (text, isPointer) => {
    expect(isJsonPointer(text)).toBe(isPointer)
  })
})
