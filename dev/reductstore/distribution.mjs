/**
 * The real ReductStore server, built once from its crate and cached outside the checkout. Never built without being
 * asked to: it takes a quarter of an hour on two cores.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { isOnPath } from '../runner/command.mjs'

const REDUCTSTORE_VERSION = '1.21.5'

/** There is no binary, or it could not be built; `message` says what to do. */
export class ReductStoreMissing extends Error {
  name = 'ReductStoreMissing'
}

function cachePath() {
  const base = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache')
  return path.join(base, 'sediment', `reductstore-${REDUCTSTORE_VERSION}`)
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * The server's binary: what `REDUCTSTORE_BIN` names, else the one in the cache.
 *
 * @returns {string}
 * @throws {ReductStoreMissing}
 */
export function findReductStore() {
  const named = process.env.REDUCTSTORE_BIN
  if (named) {
    if (isExecutable(named)) return named
    throw new ReductStoreMissing(`REDUCTSTORE_BIN names ${named}, which cannot be executed`)
  }
  const cached = path.join(cachePath(), 'bin', 'reductstore')
  if (isExecutable(cached)) return cached
  throw new ReductStoreMissing(
    `there is no ReductStore ${REDUCTSTORE_VERSION}: build it once with \`npm run interop -- --build\` (needs cargo ` +
      'and protoc, 15 to 25 minutes on two cores), or name a binary in REDUCTSTORE_BIN',
  )
}

/**
 * Builds the server into the cache, with cargo's own progress on stderr. Interrupted, it begins anew where cargo's
 * cache ends.
 *
 * @throws {ReductStoreMissing}
 */
export async function buildReductStore() {
  const missing = ['cargo', 'protoc'].filter((tool) => !isOnPath(tool))
  if (missing.length > 0) {
    throw new ReductStoreMissing(
      `building ReductStore needs ${missing.join(' and ')} (cargo: Rust's toolchain; protoc: protobuf-compiler)`,
    )
  }
  const root = cachePath()
  await mkdir(root, { recursive: true })
  const args = ['install', 'reductstore', '--version', REDUCTSTORE_VERSION]
  args.push('--no-default-features', '--features', 'fs-backend', '--root', root)
  const child = spawn('cargo', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      CARGO_TARGET_DIR: process.env.CARGO_TARGET_DIR ?? path.join(root, 'target'),
      // Half the time, and nobody measures this server's speed here.
      CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
      CARGO_PROFILE_RELEASE_LTO: 'off',
    },
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new ReductStoreMissing(`cargo could not build ReductStore (exit ${code})`)
}
