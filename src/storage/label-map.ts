import type { LabelList } from './record.ts'

/** Labels by their names; of a repeated name the last one counts. */
export function labelMap(labels: LabelList): Map<string, string> {
  const map = new Map<string, string>()
  for (let index = 0; index + 1 < labels.length; index += 2)
    map.set(labels[index] as string, labels[index + 1] as string)
  return map
}
