#!/usr/bin/env node
/**
 * `npm run demo [-- --once]`: from an empty clone to messages that settle. Nothing but Node is imported here until
 * `npm ci` has run.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const projectPath = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const help = `npm run demo [-- options]

Starts a local Apache Kafka, feeds it with the messages of a small factory, and runs the real \`sediment run\` on
them until Ctrl-C. Installs and builds what is missing, and shows what is stored and where.

  --once              end by itself after about half a minute: the sink is killed with SIGKILL on the way and started
                      again; then every message that was fed is compared with what is stored. Exit code 0: nothing is
                      missing, nothing is there twice, nothing was changed
  --directory DIR     where each run gets a directory of its own, default .demo
  --help              this text

KAFKA_BROKERS=host:port,…   uses that Kafka (without login) instead of starting one: topics and a group that begin with
                            "sediment-demo-" are made there and removed at the end.
Without Java and Maven, kcat's mock of a Kafka cluster is used where kcat is installed.`

function parseCommandLine() {
  try {
    return parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        directory: { type: 'string', default: path.join(projectPath, '.demo') },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    console.error(`${error.message}\n\n${help}`)
    process.exit(2)
  }
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 20)) return
  console.error(`the demo needs Node.js 20.20 or newer, this is ${process.versions.node}`)
  process.exit(2)
}

/** In a process of its own: what it imports handles signals in its own way. */
async function prepare() {
  const child = spawn(process.execPath, [path.join(projectPath, 'dev', 'demo', 'prepare.mjs')], {
    stdio: 'inherit',
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) process.exit(code ?? 130)
}

const { once, directory, help: asksForHelp } = parseCommandLine()
if (asksForHelp) {
  console.log(help)
  process.exit(0)
}
requireNode()
await prepare()
const { runDemo } = await import('./demo/run.mjs')
process.exitCode = await runDemo({ projectPath, directory: path.resolve(directory), once })
