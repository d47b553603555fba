import { setMaxListeners } from 'node:events'

/**
 * For a signal that many wait for at the same time, one for each partition or broker: Node takes more than ten for a
 * leak. Whoever waits must take its listener away when it is done.
 */
export function sharedAbort(): AbortController {
  const controller = new AbortController()
  setMaxListeners(Infinity, controller.signal)
  return controller
}
