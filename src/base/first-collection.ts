import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * One full collection of garbage, to be made while the heap is small.
 *
 * Until its first full collection V8 lets the old generation grow to a limit that knows nothing of the program: with
 * messages that live through two scavenges, to hundreds of megabytes of garbage, and as much again in the fetched
 * buffers that it points into. From the first collection on the limit follows what is alive.
 */
export function collectOnce(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
