import { parsePattern, PatternError, type Tree, type Unit } from './pattern-parser.ts'

/**
 * Regular expressions whose time is bounded by the length of expression and text: a set of states walks over the text
 * once (Thompson's construction), so no expression and no message can stall the process as backtracking can.
 *
 * A part of JavaScript's expressions with the same meaning, matching anywhere: characters, `.`, classes with ranges
 * and `^`, `\d \D \w \W \s \S` and escaped signs, groups, `|`, `* + ? {n} {n,} {n,m}`, `^`, `$`. No back references, no
 * looking around, no flags; the unit is the UTF-16 code unit, as there.
 */
export interface LinearPattern {
  test(text: string): boolean
}

const SOURCE_LENGTH_MAX = 1024
const STATES_MAX = 1000
/** Of the construction: empty parts repeat without making states. */
const STEPS_MAX = 100_000

/** @throws {PatternError} for what is none of these, or too large */
export function linearPattern(source: string): LinearPattern {
  if (source.length > SOURCE_LENGTH_MAX)
    throw new PatternError(`a pattern has at most ${SOURCE_LENGTH_MAX} characters`)
  const program = compile(parsePattern(source))
  return { test: (text) => run(program, text) }
}

type State =
  | { readonly kind: 'unit'; readonly unit: Unit }
  | { readonly kind: 'start' | 'end' | 'match' }
  /** Goes on at both. */
  | { readonly kind: 'split'; first: number; second: number }

function compile(tree: Tree): readonly State[] {
  const program: State[] = []
  const add = (state: State): number => {
    if (program.length >= STATES_MAX) throw tooMuch()
    return program.push(state) - 1
  }
  let steps = 0
  const emit = (node: Tree): void => {
    if (++steps > STEPS_MAX) throw tooMuch()
    switch (node.kind) {
      case 'sequence':
        return node.parts.forEach(emit)
      case 'choice':
        return emitChoice(node.parts)
      case 'repeat':
        return emitRepeat(node)
      case 'unit':
      case 'start':
      case 'end':
        add(node)
    }
  }
  const emitChoice = (parts: readonly Tree[]): void => {
    const ends: { first: number; second: number }[] = []
    parts.forEach((part, index) => {
      if (index === parts.length - 1) return emit(part)
      const split = { kind: 'split' as const, first: 0, second: 0 }
      split.first = add(split) + 1
      emit(part)
      const end = { kind: 'split' as const, first: 0, second: 0 }
      add(end)
      ends.push(end)
      split.second = program.length
    })
    for (const end of ends) end.first = end.second = program.length
  }
  const emitRepeat = ({ part, min, max }: Extract<Tree, { kind: 'repeat' }>): void => {
    for (let count = 0; count < min; count++) emit(part)
    if (max === Infinity) {
      const split = { kind: 'split' as const, first: 0, second: 0 }
      const at = add(split)
      split.first = at + 1
      emit(part)
      add({ kind: 'split', first: at, second: at })
      split.second = program.length
      return
    }
    const splits: { second: number }[] = []
    for (let count = min; count < max; count++) {
      const split = { kind: 'split' as const, first: 0, second: 0 }
      split.first = add(split) + 1
      splits.push(split)
      emit(part)
    }
    for (const split of splits) split.second = program.length
  }
  emit(tree)
  add({ kind: 'match' })
  return program
}

function run(program: readonly State[], text: string): boolean {
  let states = new Int32Array(program.length)
  let next = new Int32Array(program.length)
  const seenAt = new Int32Array(program.length).fill(-1)
  const stack: number[] = []
  let count = 0
  let isMatch = false
  /** Adds a state and all that are reached from it without a character. */
  const follow = (list: Int32Array, from: number, at: number): void => {
    stack.push(from)
    while (stack.length > 0) {
      const index = stack.pop() as number
      if (seenAt[index] === at) continue
      seenAt[index] = at
      const state = program[index] as State
      if (state.kind === 'split') stack.push(state.second, state.first)
      else if (state.kind === 'match') isMatch = true
      else if (state.kind === 'unit') list[count++] = index
      else if (state.kind === 'start' ? at === 0 : at === text.length) stack.push(index + 1)
    }
  }
  for (let at = 0; at <= text.length; at++) {
    // It may begin anywhere.
    follow(states, 0, at)
    if (isMatch) return true
    if (at === text.length) return false
    const unit = text.charCodeAt(at)
    const before = count
    count = 0
    for (let place = 0; place < before; place++) {
      const index = states[place] as number
      const state = program[index] as State
      if (state.kind === 'unit' && state.unit(unit)) follow(next, index + 1, at + 1)
    }
    ;[states, next] = [next, states]
    if (isMatch) return true
  }
  return false
}

function tooMuch(): PatternError {
  return new PatternError('the pattern repeats too much')
}
