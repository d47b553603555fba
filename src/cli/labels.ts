import type { LabelList } from '../storage/index.ts'
import { UsageError } from './usage-error.ts'

export type LabelFilter = readonly (readonly [name: string, value: string])[]

/** `['a=1', 'b=']` as pairs. @throws {UsageError} */
export function parseLabelFilter(arguments_: readonly string[]): LabelFilter {
  return arguments_.map((text) => {
    const equals = text.indexOf('=')
    if (equals < 1) throw new UsageError(`not a label: ${JSON.stringify(text)}; write --label name=value`)
    return [text.slice(0, equals), text.slice(equals + 1)] as const
  })
}

/** Of a repeated name the last one counts. */
export function labelObject(labels: LabelList): Record<string, string> {
  const object: Record<string, string> = Object.create(null) as Record<string, string>
  for (let index = 0; index + 1 < labels.length; index += 2)
    object[labels[index] as string] = labels[index + 1] as string
  return object
}

export function matchesLabels(labels: LabelList, filter: LabelFilter): boolean {
  if (filter.length === 0) return true
  const object = labelObject(labels)
  return filter.every(([name, value]) => object[name] === value)
}
