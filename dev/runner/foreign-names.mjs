/** No tracked file names a package registry's host or a place on the machine it was written on. */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { projectRoot, run } from './command.mjs'

/** Binary data, and text that other programs wrote. */
const unread = /^test\/golden\/|\.(png|jpg|gif|ico|bin|blk|meta|wal|idx|gz|zst|lz4|snappy|jsa|tgz)$/

/** Written so that no pattern matches its own line. */
const patterns = [
  ['a registry host', /https?:\/\/(registry|static|index|proxy|repo1?|files|deb)\./],
  [
    'a registry host',
    /\b(registry\.npmj[s]|files\.pythonhoste[d]|repo1?\.mave[n]|proxy\.golan[g]|deb\.debia[n])\b/,
  ],
  ['a download address', /"resolved": "https?:/],
  ['a path of this machine', /(^|[^\w.-])\/(w[o]rk|f[a]rm)\//],
]

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** The checkout's and the home folder's own paths, where they are telling (a checkout may lie in `/app`). */
function machinePatterns() {
  return [projectRoot, homedir()]
    .filter((path) => path.split('/').length > 2)
    .map((path) => ['a path of this machine', new RegExp(escaped(path))])
}

/** Lines of `text` that match, as `what: number: line`. */
function findings(text, rules) {
  return text
    .split('\n')
    .flatMap((line, index) =>
      rules
        .filter(([, pattern]) => pattern.test(line))
        .map(([what]) => `${index + 1}: ${what}: ${line.trim().slice(0, 120)}`),
    )
}

export async function checkForeignNames() {
  const listed = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
  if (!listed.ok) return listed
  const rules = [...patterns, ...machinePatterns()]
  const found = []
  let filesRead = 0
  for (const path of listed.output.split('\0')) {
    if (path === '' || unread.test(path)) continue
    let text
    try {
      text = readFileSync(join(projectRoot, path), 'utf8')
    } catch {
      continue
    }
    filesRead++
    found.push(...findings(text, rules).map((finding) => `${path}:${finding}`))
  }
  if (filesRead === 0) found.push('no file was read')
  return { ...listed, ok: found.length === 0, output: `${found.join('\n')}\n` }
}
