import { afterEach, describe, expect, it } from '@jest/globals'
import { request } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Health } from '../../src/http/health.ts'
import type { PageSource } from '../../src/http/pages.ts'
import { startHttpServer, type HttpServer } from '../../src/http/server.ts'

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

function ask(port: number, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

const well: Health = { ok: true, state: 'ready', reasons: [] }

function source(changes: Partial<PageSource> = {}): PageSource {
  return {
    metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'a_total 1\n' }),
    live: () => well,
    ready: () => well,
    summary: () => [['group', '<script>']],
    ...changes,
  }
}

describe('http server', () => {
  let server: HttpServer | undefined
  const start = async (changes: Partial<PageSource> = {}): Promise<number> => {
    server = await startHttpServer({ host: '127.0.0.1', port: 0 }, source(changes))
    return server.port
  }
  afterEach(() => server?.close())

  it('serves metrics with the content type it was given', async () => {
    const answer = await ask(await start(), '/metrics?name[]=x')
    expect(answer).toMatchObject({ status: 200, body: 'a_total 1\n' })
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4')
  })

  it('answers probes with 200 while well and 503 with reasons while not', async () => {
    let ready: Health = well
    const port = await start({ ready: () => ready })
    expect(await ask(port, '/readyz')).toMatchObject({ status: 200 })
    ready = { ok: false, state: 'paused', reasons: ['disk is full'] }
    const answer = await ask(port, '/readyz')
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.body)).toEqual({ ok: false, state: 'paused', reasons: ['disk is full'] })
    expect(await ask(port, '/livez')).toMatchObject({ status: 200 })
  })

  it('sends the headers of GET and no body for HEAD', async () => {
    const port = await start()
    const answer = await ask(port, '/metrics', 'HEAD')
    expect(answer).toMatchObject({ status: 200, body: '' })
    expect(answer.headers['content-length']).toBe('10')
  })

  it('refuses other methods and unknown paths', async () => {
    const port = await start()
    const refused = await ask(port, '/metrics', 'POST')
    expect(refused.status).toBe(405)
    expect(refused.headers['allow']).toBe('GET, HEAD')
    expect(await ask(port, '/metrics/')).toMatchObject({ status: 404 })
    expect(await ask(port, '/..%2f')).toMatchObject({ status: 404 })
  })

  it('escapes what the index page shows', async () => {
    const answer = await ask(await start(), '/')
    expect(answer.status).toBe(200)
    expect(answer.body).not.toContain('<script>')
    expect(answer.body).toContain('/readyz')
  })

  it('answers 500 and lives on when a page fails', async () => {
    const port = await start({ metrics: () => Promise.reject(new Error('no numbers')) })
    expect(await ask(port, '/metrics')).toMatchObject({ status: 500, body: 'no numbers\n' })
    expect(await ask(port, '/livez')).toMatchObject({ status: 200 })
  })

  it('names the address when it is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    await expect(startHttpServer({ host: '127.0.0.1', port }, source())).rejects.toMatchObject({
      code: 'ERR_ADDRESS',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
    await new Promise((resolve) => other.close(resolve))
  })
})
