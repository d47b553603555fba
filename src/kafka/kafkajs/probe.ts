import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { SourceError } from '../source.ts'
import { createSocket } from './response-assembly.ts'
import { tlsRefusal } from './tls-refusal.ts'

export interface ProbeOptions {
  readonly tls: (() => ConnectionOptions) | undefined
  /** Of each broker, to connect and to answer. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const API_VERSIONS = 18
const CORRELATION_ID = 1
/** The request for the versions that a broker speaks, version 0, without a client id: allowed before any login. */
const REQUEST = Buffer.from([0, 0, 0, 10, 0, API_VERSIONS, 0, 0, 0, 0, 0, CORRELATION_ID, 0xff, 0xff])
const ANSWER_HEAD_BYTES = 8
const ANSWER_BYTES_MAX = 1 << 20
const TLS_ALERT = 0x15
const TLS_MAJOR = 0x03

/**
 * Whether a Kafka broker answers at one of `brokers`. kafkajs, once it tries to connect, cannot be stopped for seconds,
 * and says less of why it could not.
 *
 * @throws {SourceError} `ERR_REFUSED` when trying again would change nothing at any of them
 * @throws {Error} with what one of them said otherwise
 */
export async function probe(brokers: readonly string[], options: ProbeOptions): Promise<void> {
  const troubles: unknown[] = []
  for (const broker of brokers) {
    try {
      return await answers(broker, options)
    } catch (error) {
      troubles.push(error)
    }
  }
  throw troubles.find((trouble) => !(trouble instanceof SourceError)) ?? troubles[0]
}

function answers(broker: string, { tls, timeoutMs, signal }: ProbeOptions): Promise<void> {
  const colon = broker.lastIndexOf(':')
  const host = broker.slice(0, colon)
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('not waited for'))
    let answer = Buffer.alloc(0)
    const socket: Socket = createSocket({
      host,
      port: Number(broker.slice(colon + 1)),
      ...(tls === undefined ? {} : { ssl: tls() }),
      onConnect: () => socket.write(REQUEST),
    })
    const end = (error?: Error): void => {
      signal.removeEventListener('abort', stop)
      socket.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const stop = (): void => end(new Error('not waited for'))
    signal.addEventListener('abort', stop, { once: true })
    socket.setTimeout(timeoutMs, () => end(new Error(`${broker} does not answer`)))
    socket.on('error', (error) => end(explained(error, broker, tls !== undefined)))
    socket.on('close', () => end(new Error(`${broker} closed the connection without an answer`)))
    socket.on('data', (bytes: Buffer) => {
      answer = Buffer.concat([answer, bytes])
      if (answer.length >= ANSWER_HEAD_BYTES || answer[0] === TLS_ALERT) end(refusalBy(answer, broker))
    })
  })
}

function explained(error: Error, broker: string, isTls: boolean): Error {
  const refusal = isTls ? tlsRefusal(error, broker) : undefined
  if (refusal !== undefined) return new SourceError('ERR_REFUSED', refusal, error)
  if (isTls && 'code' in error && error.code === 'ECONNRESET') {
    return new Error(`${broker} breaks off the TLS handshake, as brokers do that do not speak TLS there`, {
      cause: error,
    })
  }
  return error
}

/** `undefined` for the beginning of an answer to our request. */
function refusalBy(answer: Buffer, broker: string): SourceError | undefined {
  if (answer[0] === TLS_ALERT && answer[1] === TLS_MAJOR) {
    return new SourceError('ERR_REFUSED', `${broker} speaks TLS; set kafka.ssl.enabled to true`)
  }
  const isAnswer = answer.readUInt32BE(0) <= ANSWER_BYTES_MAX && answer.readUInt32BE(4) === CORRELATION_ID
  return isAnswer
    ? undefined
    : new SourceError('ERR_REFUSED', `${broker} does not speak Kafka; correct kafka.brokers`)
}
