export class PatternError extends Error {
  override readonly name = 'PatternError'
  readonly code = 'ERR_PATTERN'
}

/** Whether a code unit belongs. */
export type Unit = (unit: number) => boolean

/** What a pattern says. */
export type Tree =
  | { readonly kind: 'unit'; readonly unit: Unit }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Tree[] }
  | { readonly kind: 'repeat'; readonly part: Tree; readonly min: number; readonly max: number }

const REPEATS_MAX = 100
const DEPTH_MAX = 32

/** @throws {PatternError} */
export function parsePattern(source: string): Tree {
  return new PatternParser(source).parse()
}

class PatternParser {
  readonly #source: string
  #at = 0
  #depth = 0

  constructor(source: string) {
    this.#source = source
  }

  parse(): Tree {
    const tree = this.#choice()
    if (this.#at < this.#source.length) throw this.#wrong(') without (')
    return tree
  }

  #choice(): Tree {
    const parts = [this.#sequence()]
    while (this.#skip('|')) parts.push(this.#sequence())
    return parts.length === 1 ? (parts[0] as Tree) : { kind: 'choice', parts }
  }

  #sequence(): Tree {
    const parts: Tree[] = []
    while (this.#at < this.#source.length && !'|)'.includes(this.#next)) parts.push(this.#repeated())
    return { kind: 'sequence', parts }
  }

  #repeated(): Tree {
    const part = this.#atom()
    const bounds = this.#bounds()
    if (bounds === undefined) return part
    if (part.kind === 'start' || part.kind === 'end') throw this.#wrong('^ and $ cannot repeat')
    // Whether it takes much or little does not change what matches.
    this.#skip('?')
    if (this.#bounds() !== undefined) throw this.#wrong('nothing to repeat')
    return { kind: 'repeat', part, ...bounds }
  }

  #bounds(): { min: number; max: number } | undefined {
    if (this.#skip('*')) return { min: 0, max: Infinity }
    if (this.#skip('+')) return { min: 1, max: Infinity }
    if (this.#skip('?')) return { min: 0, max: 1 }
    if (this.#next !== '{') return undefined
    const [all = '', least = '', comma, most] = /^\{(\d+)(,)?(\d*)\}/.exec(this.#source.slice(this.#at)) ?? []
    if (all === '') throw this.#wrong('write \\{ for the character')
    const min = Number(least)
    const max = comma === undefined ? min : most === '' ? Infinity : Number(most)
    if (min > max || Math.max(min, max === Infinity ? 0 : max) > REPEATS_MAX)
      throw this.#wrong(`repeats at most ${REPEATS_MAX} times`)
    this.#at += all.length
    return { min, max }
  }

  #atom(): Tree {
    const character = this.#take()
    switch (character) {
      case '^':
        return { kind: 'start' }
      case '$':
        return { kind: 'end' }
      case '.':
        return { kind: 'unit', unit: (unit) => !isLineEnd(unit) }
      case '[':
        return { kind: 'unit', unit: this.#class() }
      case '(':
        return this.#group()
      case '\\':
        return { kind: 'unit', unit: this.#escaped() }
      case '*':
      case '+':
      case '?':
      case '{':
        throw this.#wrong('nothing to repeat')
      case ']':
      case '}':
        throw this.#wrong(`write \\${character} for the character`)
    }
    return { kind: 'unit', unit: only(character.charCodeAt(0)) }
  }

  #group(): Tree {
    if (this.#skip('?') && !this.#skip(':')) throw this.#wrong('of (?…) only (?:…) is there')
    if (++this.#depth > DEPTH_MAX) throw this.#wrong('too many groups in each other')
    const tree = this.#choice()
    if (!this.#skip(')')) throw this.#wrong('( without )')
    this.#depth -= 1
    return tree
  }

  #class(): Unit {
    const isNot = this.#skip('^')
    const units: Unit[] = []
    while (!this.#skip(']')) {
      const [first, firstCode] = this.#member()
      if (this.#next !== '-' || this.#source[this.#at + 1] === ']') {
        units.push(first)
        continue
      }
      this.#at += 1
      const [, lastCode] = this.#member()
      if (firstCode === undefined || lastCode === undefined || lastCode < firstCode)
        throw this.#wrong('a range goes from one character to a later one')
      units.push((unit) => unit >= firstCode && unit <= lastCode)
    }
    return (unit) => units.some((one) => one(unit)) !== isNot
  }

  /** One of a class, with its code where it is a single one. */
  #member(): [Unit, number | undefined] {
    const character = this.#take()
    if (character === '') throw this.#wrong('[ without ]')
    if (character !== '\\') return [only(character.charCodeAt(0)), character.charCodeAt(0)]
    const escaped = this.#next
    const unit = this.#escaped()
    return [unit, /[dDwWsS]/.test(escaped) ? undefined : codeOf(escaped)]
  }

  #escaped(): Unit {
    const character = this.#take()
    const known = CLASSES[character]
    if (known !== undefined) return known
    if (/^[A-Za-z0-9]?$/.test(character) && !(character in CONTROLS))
      throw this.#wrong(`\\${character} is not there`)
    return only(codeOf(character))
  }

  get #next(): string {
    return this.#source[this.#at] ?? ''
  }

  #take(): string {
    const character = this.#next
    this.#at += 1
    return character
  }

  #skip(character: string): boolean {
    if (this.#next !== character) return false
    this.#at += 1
    return true
  }

  #wrong(why: string): PatternError {
    return new PatternError(`at ${Math.min(this.#at, this.#source.length)} of the pattern: ${why}`)
  }
}

function only(code: number): Unit {
  return (unit) => unit === code
}

function codeOf(escaped: string): number {
  return CONTROLS[escaped] ?? escaped.charCodeAt(0)
}

function isLineEnd(unit: number): boolean {
  return unit === 0x0a || unit === 0x0d || unit === 0x2028 || unit === 0x2029
}

const fromExpression =
  (expression: RegExp): Unit =>
  (unit) =>
    expression.test(String.fromCharCode(unit))

const CLASSES: Readonly<Record<string, Unit>> = {
  d: fromExpression(/\d/),
  D: fromExpression(/\D/),
  w: fromExpression(/\w/),
  W: fromExpression(/\W/),
  s: fromExpression(/\s/),
  S: fromExpression(/\S/),
}
const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d }
