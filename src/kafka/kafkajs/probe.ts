import net from 'node:net'

/**
 * Whether anything listens at one of `brokers`: rejects with what the last one said. kafkajs, once it tries to
 * connect, cannot be stopped for seconds.
 */
export async function probe(
  brokers: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  let trouble: unknown
  for (const broker of brokers) {
    try {
      return await listens(broker, timeoutMs, signal)
    } catch (error) {
      trouble = error
    }
  }
  throw trouble
}

function listens(broker: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const colon = broker.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) })
    const end = (error?: Error): void => {
      signal.removeEventListener('abort', stop)
      socket.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const stop = (): void => end(new Error('not waited for'))
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) return stop()
    socket.setTimeout(timeoutMs, () => end(new Error(`connect timeout ${broker}`)))
    socket.once('error', end)
    socket.once('connect', () => end())
  })
}
