import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer, type PageSource } from './pages.ts'

export type HttpErrorCode = 'ERR_ADDRESS' // the address cannot be listened on

export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: HttpErrorCode

  constructor(code: HttpErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

export interface HttpServer {
  readonly host: string
  /** The port in use, also when 0 was asked for. */
  readonly port: number
  /** Stops listening and drops open connections. Idempotent. */
  close(): Promise<void>
}

/** Listens at once. @throws {HttpError} `ERR_ADDRESS` when the address is taken, forbidden or not ours. */
export async function startHttpServer(
  address: { readonly host: string; readonly port: number },
  source: PageSource,
): Promise<HttpServer> {
  const server = createServer((request, response) => void respond(request, response, source))
  server.requestTimeout = 10_000
  server.headersTimeout = 10_000
  server.keepAliveTimeout = 65_000
  await listen(server, address)
  const { port } = server.address() as AddressInfo
  let closed: Promise<void> | undefined
  return {
    host: address.host,
    port,
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      return closed
    },
  }
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'another process listens there' : cause.message
      reject(new HttpError('ERR_ADDRESS', `cannot listen on ${host}:${port}: ${why}`, cause))
    })
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      // A connection that breaks is its client's matter; without a listener it would end the process.
      server.on('error', () => {})
      resolve()
    })
  })
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  source: PageSource,
): Promise<void> {
  const method = request.method ?? 'GET'
  const path = (request.url ?? '/').split('?', 1)[0] as string
  request.resume()
  const page = await answer(method, path, source)
  const body = Buffer.from(page.body)
  response.writeHead(page.status, {
    'content-type': page.contentType,
    'content-length': body.byteLength,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...page.headers,
  })
  response.end(method === 'HEAD' ? undefined : body)
}
