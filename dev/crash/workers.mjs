/** Processes that run the crash simulation, each in TypeScript as it stands in `root`. */
import { fork } from 'node:child_process'
import { join } from 'node:path'

/**
 * Starts `count` workers and gives each to `work` as a function that hands it an order and resolves with its answer.
 * Resolves when all of `work` is done; the workers are then gone.
 *
 * @param {string} root holds `test/crash` and `src`
 * @param {number} count
 * @param {(ask: (order: { seeds: number[], simulation?: 'changes' }) => Promise<any>) => Promise<void>} work
 */
export async function startWorkers(root, count, work) {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const child = fork(join(root, 'test/crash/campaign-worker.ts'), {
        cwd: root,
        execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=64', '--import', 'tsx'],
      })
      try {
        await work((order) => askWorker(child, order))
      } finally {
        child.kill('SIGKILL')
      }
    }),
  )
}

function askWorker(child, order) {
  return new Promise((resolve, reject) => {
    const onExit = (code, signal) => reject(new Error(`a simulation worker ended: ${signal ?? code}`))
    child.once('exit', onExit)
    child.once('message', (answer) => {
      child.off('exit', onExit)
      resolve(answer)
    })
    child.send(order)
  })
}
