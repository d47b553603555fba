/** The committed protobuf module against a fresh one. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectRoot, runPackage } from './command.mjs'

/** The arguments of `npm run proto`, which stays the only place that knows them. */
function protoArguments() {
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))
  const [program, ...args] = scripts.proto.split(/\s+/)
  const at = args.indexOf('-o')
  if (program !== 'pbjs' || at < 0)
    throw new Error('package.json: the script "proto" is no `pbjs … -o FILE …`')
  return { args, at: at + 1 }
}

/**
 * Generates the module and its types into a temporary folder and compares both with the committed ones; with
 * `fix`, generates them in place.
 *
 * @param {boolean} fix
 */
export async function checkGeneratedProtobuf(fix) {
  const { args, at } = protoArguments()
  if (fix) return runPackage('protobufjs-cli/bin/pbjs', args, { limitSeconds: 600 })
  const committed = args[at]
  const folder = mkdtempSync(join(tmpdir(), 'sediment-proto-'))
  try {
    const fresh = join(folder, 'fresh.js')
    const result = await runPackage('protobufjs-cli/bin/pbjs', args.with(at, fresh), { limitSeconds: 600 })
    if (!result.ok) return result
    const stale = ['.js', '.d.ts'].filter((ending) => {
      const text = (path) => readFileSync(path.replace(/\.js$/, ending), 'utf8')
      try {
        return text(fresh) !== text(join(projectRoot, committed))
      } catch {
        return true
      }
    })
    if (stale.length === 0) return result
    const names = stale.map((ending) => committed.replace(/\.js$/, ending)).join(', ')
    return { ...result, ok: false, output: `${names}: not what proto/ gives; run npm run proto\n` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
