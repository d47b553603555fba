import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { WorkerOptions } from './worker-protocol.ts'

/**
 * Starts `disk-worker` beside this module: the compiled file, or, when this runs from its TypeScript source (tests,
 * development), the source through tsx. A worker inherits no flags, so loaders of the parent do not disturb it.
 */
export function spawnDiskWorker(name: string, options: WorkerOptions): Worker {
  const common = { name, workerData: options, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 128 } }
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./disk-worker.js', import.meta.url), common)
  }
  const loader = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs')
  const source = new URL('./disk-worker.ts', import.meta.url).href
  const program = `import(${JSON.stringify(pathToFileURL(loader).href)}).then(({ register }) => {
    register()
    return import(${JSON.stringify(source)})
  })`
  return new Worker(program, { ...common, eval: true })
}
