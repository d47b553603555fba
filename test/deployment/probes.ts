import { startHttpServer } from '../../src/http/server.ts'
import type { PageSource } from '../../src/http/pages.ts'

const healthy = { ok: true, state: 'ready', reasons: [] }

const source: PageSource = {
  metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
  live: () => healthy,
  ready: () => healthy,
  summary: () => [],
}

/** Which of `paths` the real server answers with 200 while all is well. */
export async function pathsAnswered(paths: readonly string[]): Promise<readonly string[]> {
  const server = await startHttpServer({ host: '127.0.0.1', port: 0 }, source)
  try {
    const answered = await Promise.all(
      paths.map(async (path) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).status === 200),
    )
    return paths.filter((_path, index) => answered[index])
  } finally {
    await server.close()
  }
}
