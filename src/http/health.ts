/** The answer of a probe. `reasons` are for people and say why `ok` is false, or what is odd. */
export interface Health {
  readonly ok: boolean
  /** One word: `ready`, `starting`, `draining`, `paused`, … */
  readonly state: string
  readonly reasons: readonly string[]
}

export const HEALTH_CONTENT_TYPE = 'application/json; charset=utf-8'

export function encodeHealth(health: Health): string {
  return `${JSON.stringify({ ok: health.ok, state: health.state, reasons: health.reasons })}\n`
}
