import type { TimeRange } from '../storage/index.ts'
import { isCalendarDay } from '../config/format.ts'
import { UsageError } from './usage-error.ts'

const UNIT_US: Readonly<Record<string, bigint>> = {
  us: 1n,
  ms: 1_000n,
  s: 1_000_000n,
  m: 60_000_000n,
  h: 3_600_000_000n,
  d: 86_400_000_000n,
  w: 604_800_000_000n,
}

const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?(Z|[+-]\d\d:\d\d)?$/

/**
 * Microseconds since the epoch from what a person types: microseconds (`1735689600000000`), an ISO time
 * (`2025-01-01`, `2025-01-01T12:30:00.000001Z`; UTC where no zone is given) or how long ago (`90s`, `15m`, `1h`).
 *
 * @throws {UsageError}
 */
export function parseTime(text: string, nowUs: number): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text)
  const ago = /^(\d{1,12})(us|ms|s|m|h|d|w)$/.exec(text)
  if (ago !== null) {
    const timeUs = BigInt(nowUs) - BigInt(ago[1] as string) * (UNIT_US[ago[2] as string] as bigint)
    return timeUs > 0n ? timeUs : 0n
  }
  const iso = ISO.exec(text)
  if (iso !== null) {
    const [, day, minute = '00:00', second = '00', fraction = '', zone = 'Z'] = iso
    const seconds = Date.parse(`${day}T${minute}:${second}${zone}`)
    if (Number.isFinite(seconds) && seconds >= 0 && isCalendarDay(day as string))
      return BigInt(seconds) * 1000n + BigInt(fraction.padEnd(6, '0'))
  }
  throw new UsageError(
    `not a time: ${JSON.stringify(text)}; write an ISO time (2025-01-01T12:00:00Z), microseconds since 1970 or how long ago (90s, 15m, 1h, 7d)`,
  )
}

/** ISO-8601 with microseconds, UTC; the bare number where the year has more than four digits. */
export function formatTimeUs(timestampUs: bigint): string {
  const seconds = timestampUs / 1_000_000n
  if (seconds >= 253_402_300_800n) return String(timestampUs)
  const fraction = String(timestampUs % 1_000_000n).padStart(6, '0')
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`
}

/** @throws {UsageError} when the range is empty */
export function parseRange(
  { start, stop }: { readonly start?: string; readonly stop?: string },
  nowUs: number,
): TimeRange {
  const startUs = start === undefined ? undefined : parseTime(start, nowUs)
  const stopUs = stop === undefined ? undefined : parseTime(stop, nowUs)
  if (startUs !== undefined && stopUs !== undefined && startUs >= stopUs) {
    throw new UsageError(`--start (${formatTimeUs(startUs)}) is not before --stop (${formatTimeUs(stopUs)})`)
  }
  return { ...(startUs === undefined ? {} : { startUs }), ...(stopUs === undefined ? {} : { stopUs }) }
}
