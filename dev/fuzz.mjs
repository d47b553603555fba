#!/usr/bin/env node
/**
 * `npm run fuzz -- --runs 100000 --seed 1 [--only WAL,frame]`: gives every decoder so many damaged inputs. A decoder
 * that is silent for two minutes hangs: its last line says which, and with which seed.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { installDependencies } from './runner/install.mjs'

const SILENT_MS_MAX = 120_000

await installDependencies()
const child = spawn(process.execPath, ['--import', 'tsx', 'test/fuzz/main.ts', ...process.argv.slice(2)], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: ['ignore', 'pipe', 'inherit'],
})
const hang = setTimeout(() => {
  console.log('FAILED: the decoder named last hangs')
  child.kill('SIGKILL')
}, SILENT_MS_MAX)
child.stdout.on('data', (chunk) => {
  hang.refresh()
  process.stdout.write(chunk)
})
child.once('exit', (code) => {
  clearTimeout(hang)
  process.exitCode = code ?? 1
})
