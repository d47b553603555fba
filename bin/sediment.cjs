#!/usr/bin/env node
'use strict'
// CommonJS on purpose: the size of libuv's thread pool can only be set before the first ES module loads.
process.env.UV_THREADPOOL_SIZE ??= '16'

const { existsSync } = require('node:fs')
const { join } = require('node:path')

const EXIT_USAGE = 2

function refuse(why) {
  process.stderr.write(`sediment: ${why}\n`)
  process.exit(EXIT_USAGE)
}

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 20)) {
  refuse(`needs Node.js 20.20 or newer, this is ${process.versions.node}`)
}
// One file: to find and read hundreds takes as long as everything else of a start.
if (!existsSync(join(__dirname, '..', 'dist', 'bundle', 'main.js'))) {
  refuse('is not built yet: run "npm run build" first')
}

void import('../dist/bundle/main.js').then(({ main }) => main(process.argv))
