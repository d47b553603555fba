import { encodeHealth, HEALTH_CONTENT_TYPE, type Health } from './health.ts'

/** What the server shows; handed in by `app`, asked at each request. */
export interface PageSource {
  /** Text in Prometheus' exposition format, with its content type. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>
  live(): Health
  ready(): Health
  /** Facts for the index page, in order. */
  summary(): readonly (readonly [name: string, value: string])[]
}

export interface Page {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Extra response headers. */
  readonly headers?: Readonly<Record<string, string>>
}

const TEXT = 'text/plain; charset=utf-8'
const HTML = 'text/html; charset=utf-8'

const LINKS: readonly (readonly [path: string, what: string])[] = [
  ['/metrics', 'metrics for Prometheus'],
  ['/livez', 'is the process alive'],
  ['/readyz', 'does it consume, and if not, why'],
]

/** The page for a request; never rejects. `method` HEAD is answered as GET, the server leaves the body out. */
export async function answer(method: string, path: string, source: PageSource): Promise<Page> {
  const known = path === '/' || LINKS.some(([link]) => link === path)
  if (!known) {
    return {
      status: 404,
      contentType: TEXT,
      body: `not found; there is ${LINKS.map(([link]) => link).join(', ')} and /\n`,
    }
  }
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, contentType: TEXT, body: 'only GET and HEAD\n', headers: { allow: 'GET, HEAD' } }
  }
  try {
    switch (path) {
      case '/metrics':
        return { status: 200, ...(await source.metrics()) }
      case '/livez':
        return healthPage(source.live())
      case '/readyz':
        return healthPage(source.ready())
      default:
        return { status: 200, contentType: HTML, body: indexPage(source) }
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { status: 500, contentType: TEXT, body: `${message}\n` }
  }
}

function healthPage(health: Health): Page {
  return { status: health.ok ? 200 : 503, contentType: HEALTH_CONTENT_TYPE, body: encodeHealth(health) }
}

function indexPage(source: PageSource): string {
  const ready = source.ready()
  const facts = [['state', ready.state] as const, ...source.summary()]
  const rows = facts.map(
    ([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
  )
  const reasons = ready.reasons.map((reason) => `<li>${escapeHtml(reason)}</li>`)
  const links = LINKS.map(([path, what]) => `<li><a href="${path}">${path}</a> – ${what}</li>`)
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sediment</title>',
    '<style>body{font:15px/1.5 system-ui;margin:2em}th{text-align:left;padding-right:1.5em;font-weight:600}</style>',
    `<h1>Sediment</h1><table>${rows.join('')}</table>`,
    reasons.length > 0 ? `<ul>${reasons.join('')}</ul>` : '',
    `<ul>${links.join('')}</ul></html>\n`,
  ].join('\n')
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
