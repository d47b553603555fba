import { readFileSync } from 'node:fs'

const SOFT_LIMIT = /^Max open files\s+(\d+|unlimited)/m
const LIMIT_UNKNOWN = 1024
const HANDLES_CAP = 16_384

/** How many files the writers may hold open: half of `RLIMIT_NOFILE`; sockets and readers need the rest. */
export function defaultHandlesMax(): number {
  let limits
  try {
    limits = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return LIMIT_UNKNOWN / 2
  }
  const [, soft] = SOFT_LIMIT.exec(limits) ?? []
  if (soft === 'unlimited') return HANDLES_CAP
  return Math.min(HANDLES_CAP, Math.max(16, Math.floor(Number(soft ?? LIMIT_UNKNOWN) / 2)))
}
