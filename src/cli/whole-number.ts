import { UsageError } from './usage-error.ts'

/** An argument that is an offset or a partition. @throws {UsageError} that calls it `name` */
export function wholeNumber(name: string, text: string, digitsMax = 15): number {
  if (!/^\d+$/.test(text) || text.length > digitsMax)
    throw new UsageError(`not a ${name}: ${JSON.stringify(text)}`)
  return Number(text)
}
