import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** By how much the old generation may grow before it is collected, in percent of what was alive; V8 takes up to 300. */
const HEAP_GROWING_PERCENT = 150

/**
 * One full collection of garbage, to be made while the heap is small, and a limit to what gathers from then on.
 *
 * Until its first full collection V8 lets the old generation grow to a limit that knows nothing of the program: with
 * messages that live through two scavenges, to hundreds of megabytes of garbage, and as much again in the fetched
 * buffers that it points into. From the first collection on the limit follows what is alive, 2.5 times of it: enough, for
 * most of what the sink makes lives until it is durable, into the old generation, and is garbage there.
 */
export function collectOnce(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
