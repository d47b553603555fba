import type { Target } from '../targets.ts'
import type { Spread } from '../statistics.ts'
import { ratioText } from '../text.ts'

/** One line of what a part has found. */
export interface Figure {
  readonly what: string
  readonly value: number
  readonly unit: '×' | 'µs' | 'ms' | 's' | 'MB' | 'records/s'
  /** Where there was more than one run; `value` is its median. */
  readonly spread?: Spread
  readonly goal?: { readonly bound: 'most' | 'least'; readonly value: number }
}

/** What one part has measured. */
export interface PartResult {
  readonly title: string
  readonly figures: readonly Figure[]
}

export function ratioFigure(what: string, spread: Spread, goal?: Figure['goal']): Figure {
  return { what, value: spread.median, unit: '×', spread, ...(goal && { goal }) }
}

export function figureTargets({ figures }: PartResult): Target[] {
  return figures.flatMap(({ what, value, unit, goal }) => {
    if (goal === undefined) return []
    const reached = goal.bound === 'most' ? value <= goal.value : value >= goal.value
    return [{ what: `${what}, ${unit}`, goal: goalText(goal), value, reached }]
  })
}

export function figureRows({ figures }: PartResult): string[][] {
  return figures.map(({ what, value, unit, spread, goal }) => [
    what,
    spread === undefined ? valueText(value) : ratioText(spread),
    unit,
    goal === undefined ? '' : goalText(goal),
  ])
}

function goalText({ bound, value }: NonNullable<Figure['goal']>): string {
  return `${bound === 'most' ? '<=' : '>='} ${value}`
}

function valueText(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2)
}
