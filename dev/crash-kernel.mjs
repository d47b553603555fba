#!/usr/bin/env node
/**
 * `npm run crash:kernel [-- --cuts 500 --seed 1 --only run,fifo,moves,calls,ext4,xfs,nbd-ext4,nbd-xfs]`: the real engine on real file
 * systems of this kernel: `sediment run` on a disk that gets full, failing system calls, limits, a full disk, a FIFO bucket on one, renames cut off, power cuts on loop devices and on a disk with a
 * volatile cache (`test/crash/kernel/`). What cannot run here is said loudly, and fails under `CI=true`. Interrupted it
 * reports what it has done, and leaves nothing mounted. With `--preload libeatmydata.so` cuts must lose something.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { buildWhereStale } from './runner/build.mjs'
import { installDependencies } from './runner/install.mjs'

await installDependencies()
await buildWhereStale()
const child = spawn(process.execPath, ['--import', 'tsx', 'test/crash/kernel.ts', ...process.argv.slice(2)], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
  // It is told once, and not by the terminal as well.
  detached: true,
})
// The runner's own listeners, which came with the modules above, would end it at once.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.removeAllListeners(signal)
  process.on(signal, () => child.kill(signal))
}
child.once('exit', (code) => process.exit(code ?? 1))
