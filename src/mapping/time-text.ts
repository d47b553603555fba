/** How a time is written. `iso` must have a zone; with `iso-utc` a missing one means UTC. */
export type TimeFormat = 's' | 'ms' | 'us' | 'ns' | 'iso' | 'iso-utc'

export const timeFormats: readonly TimeFormat[] = ['s', 'ms', 'us', 'ns', 'iso', 'iso-utc']

/** Longer texts are no times. */
const TEXT_LENGTH_MAX = 64

/**
 * The whole microseconds since 1970 that a text stands for, rounded down, without a detour over inexact numbers.
 * Infinite where they are not below 2^53; `undefined` where the text is no time in this format.
 */
export function timeTextToUs(text: string, format: TimeFormat): number | undefined {
  if (text.length > TEXT_LENGTH_MAX) return undefined
  if (format === 'iso' || format === 'iso-utc') return isoToUs(text, format === 'iso-utc')
  return decimalToUs(text, DECIMALS[format])
}

/** By how many decimals a unit is larger than a microsecond. */
const DECIMALS = { s: 6, ms: 3, us: 0, ns: -3 } as const

function decimalToUs(text: string, decimals: number): number | undefined {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (parts === null) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  if (digits === '') return 0
  // How many of the digits are whole microseconds; more than there are: zeros follow.
  const places = digits.length - fraction.length + Number(exponent) + decimals
  const isNegative = sign === '-'
  if (places > SAFE_DIGITS_MAX) return isNegative ? -Infinity : Infinity
  const us = places <= 0 ? 0 : Number(digits.slice(0, places).padEnd(places, '0'))
  const isRest = /[1-9]/.test(digits.slice(Math.max(0, places)))
  return safe(isNegative ? -us - (isRest ? 1 : 0) : us)
}

const SAFE_DIGITS_MAX = 16

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$/

function isoToUs(text: string, isUtcWithoutZone: boolean): number | undefined {
  const parts = ISO.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, second = '0', fraction = '', utc, sign, aheadHours, aheadMinutes] =
    parts
  if (utc === undefined && sign === undefined && !isUtcWithoutZone) return undefined
  const [h, m, s, zoneH, zoneM] = [hour, minute, second, aheadHours ?? 0, aheadMinutes ?? 0].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  if (h > 23 || m > 59 || s > 59 || zoneH > 23 || zoneM > 59) return undefined
  const dayMs = Date.parse(`${year}-${month}-${day}`)
  // `Date` reads 30 February as 2 March.
  if (Number.isNaN(dayMs) || new Date(dayMs).getUTCDate() !== Number(day)) return undefined
  const aheadS = (sign === '-' ? -1 : 1) * (zoneH * 3600 + zoneM * 60)
  const seconds = dayMs / 1000 + h * 3600 + m * 60 + s - aheadS
  return safe(seconds * 1e6 + Number(fraction.slice(0, 6).padEnd(6, '0')))
}

function safe(us: number): number {
  if (Number.isSafeInteger(us)) return us
  return us < 0 ? -Infinity : Infinity
}
