import { fieldName, type Field, type FieldReader, type FieldSource } from './field.ts'
import type { JsonFault } from './json-scan.ts'
import { linearPattern } from './linear-pattern.ts'

/** A condition on one field of a message. */
export type Filter = FieldSource & FilterTest & { readonly not?: boolean }

type FilterTest =
  /** Its text is one of these. A number is as it is written. */
  | { readonly equals: readonly string[] }
  /** It is there and not null, or is not. */
  | { readonly exists: boolean }
  /** Its text matches a `LinearPattern` anywhere. */
  | { readonly matches: string }

/** What a filter says: pass, or not, or that the JSON it asks for cannot be read. */
type FilterVerdict = 'pass' | 'stop' | { readonly unreadable: JsonFault }

/** A filter, made ready. */
export interface MessageFilter {
  /** For people. */
  readonly name: string
  check(reader: FieldReader): FilterVerdict
}

export function messageFilter(filter: Filter): MessageFilter {
  const test = fieldTest(filter)
  const expected = filter.not !== true
  return {
    name: filterName(filter),
    check(reader) {
      const field = reader.read(filter)
      if (field !== undefined && 'unreadable' in field) return field
      return test(field) === expected ? 'pass' : 'stop'
    },
  }
}

function fieldTest(filter: Filter): (field: Field | undefined) => boolean {
  if ('exists' in filter) return (field) => (field !== undefined) === filter.exists
  const isMatch = textTest(filter)
  return (field) => field !== undefined && 'text' in field && isMatch(field.text)
}

function textTest(filter: Exclude<FilterTest, { exists: boolean }>): (text: string) => boolean {
  if ('equals' in filter) {
    const wanted = new Set(filter.equals)
    return (text) => wanted.has(text)
  }
  const pattern = linearPattern(filter.matches)
  return (text) => pattern.test(text)
}

function filterName(filter: Filter): string {
  const not = filter.not === true ? ' not' : ''
  if ('exists' in filter) return `${fieldName(filter)}${not} exists=${filter.exists}`
  if ('equals' in filter) return `${fieldName(filter)}${not} equals ${filter.equals.join(' or ')}`
  return `${fieldName(filter)}${not} matches ${filter.matches}`
}
