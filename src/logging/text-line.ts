/** A JSON line as text for people: `12:03:04.567 warn  storage  block is late  entry=orders/0 bytes=12`. */
export function lineAsText(line: string): string {
  const { time, level, room, message, ...facts } = JSON.parse(line) as Record<string, unknown>
  const head = [
    String(time).slice(11, 23),
    String(level).padEnd(5),
    ...(room === undefined ? [] : [show(room)]),
  ]
  const tail = Object.entries(facts).map(([name, value]) => `${name}=${show(value)}`)
  return `${[head.join(' '), String(message), tail.join(' ')].filter((part) => part !== '').join('  ')}\n`
}

function show(value: unknown): string {
  if (typeof value === 'string') return /^[!#-<>-~]+$/.test(value) ? value : JSON.stringify(value)
  if (isError(value)) return JSON.stringify([value.code, value.message].filter(Boolean).join(' '))
  return JSON.stringify(value)
}

function isError(value: unknown): value is { code?: string; message: string } {
  return typeof value === 'object' && value !== null && 'message' in value && 'stack' in value
}
