import fc from 'fast-check'
import { parseEntryTemplate } from '../../src/mapping/entry-template.ts'
import { JsonScan } from '../../src/mapping/json-scan.ts'
import { createMapper } from '../../src/mapping/mapper.ts'
import { timeFormats, timeTextToUs } from '../../src/mapping/time-text.ts'
import { defaultRule } from '../../src/mapping/default-rule.ts'
import { rules } from '../../src/config/rule-format.ts'
import type { MappingRule } from '../../src/mapping/rule.ts'
import type { FuzzTarget } from './fuzz.ts'

/** None of these throws. */
const isPromised = (): boolean => false
const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

const jsonTarget: FuzzTarget = {
  name: 'JSON fields',
  valid: fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
  isPromised,
  decode(bytes) {
    const found = new JsonScan(['', '/a', '/0/a', '/a/b']).scan(bytes)
    let isJson = true
    try {
      JSON.parse(utf8(bytes))
    } catch {
      isJson = false
    }
    if (isJson !== (typeof found !== 'string')) throw new Error(`JSON.parse says ${isJson}`)
    return isJson ? 'whole' : 'refused'
  },
}

const timeTarget: FuzzTarget = {
  name: 'times',
  valid: fc.oneof(
    fc.date({ noInvalidDate: true, min: new Date(0) }).map((date) => Buffer.from(date.toISOString())),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => Buffer.from(String(value))),
  ),
  isPromised,
  decode(bytes) {
    const times = timeFormats.map((format) => timeTextToUs(utf8(bytes), format))
    const found = times.filter((us) => us !== undefined)
    if (found.some((us) => !Number.isSafeInteger(us) && Math.abs(us) !== Infinity))
      throw new Error(`times that are no microseconds: ${found.join()}`)
    return found.length > 0 ? 'whole' : 'refused'
  },
}

const names = fc.constantFrom('{topic}', '{partition}', '{json:/a}', '{header:h}', '{key}', '{HH}', 'a', '/b')

/** A template that the configuration takes fills, with whatever a message holds. */
const templateTarget: FuzzTarget = {
  name: 'entry templates',
  valid: fc.array(names, { minLength: 1, maxLength: 5 }).map((parts) => Buffer.from(parts.join(''))),
  isPromised,
  decode(bytes) {
    const entry = utf8(bytes)
    const reading = rules.read([{ topics: ['t'], entry }])
    if (!('value' in reading)) return 'refused'
    parseEntryTemplate(entry)
    const rule: MappingRule = { ...defaultRule, entry }
    const message = {
      offset: 1,
      timestampMs: 1,
      key: bytes,
      value: bytes,
      headers: [{ name: Buffer.from('h'), value: bytes }],
    }
    const outcome = createMapper([rule]).forPartition('t', 0)?.map(message, 1)
    if (outcome === undefined) throw new Error('no rule')
    if (!('target' in outcome)) return 'part'
    if (!/^[A-Za-z0-9_-]{1,255}(\/[A-Za-z0-9_-]{1,255})*$/.test(outcome.target.entry))
      throw new Error(`entry ${outcome.target.entry}`)
    return 'whole'
  },
}

export const mappingTargets: readonly FuzzTarget[] = [jsonTarget, timeTarget, templateTarget]
