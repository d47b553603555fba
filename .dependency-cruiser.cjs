/**
 * The rooms of src/ and who may import whom (ARCHITECTURE.md). `down(room, may)`: the room imports itself and
 * the rooms named, nothing else of ours. `oneRoom(library, room)`: only that room imports the library.
 */
const down = (room, may) => ({
  name: `${room}-imports-only-down`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...may].join('|')})/` },
})
const oneRoom = (library, room) => ({
  name: `${library}-only-in-${room}`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/(${room})/` },
  to: { path: `(^|/)node_modules/${library}(/|$)` },
})
/** Outside the engine only its door is open. */
const door = (room) => ({
  name: `${room}-through-its-door`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${room}/` },
  to: { path: `^src/${room}/`, pathNot: `^src/${room}/index\\.ts$` },
})

module.exports = {
  forbidden: [
    down('base', []),
    down('fs', ['base']),
    down('storage', ['base', 'fs']),
    down('mapping', ['base', 'storage']),
    down('ledger', ['base', 'fs']),
    down('kafka', ['base']),
    down('sink', ['base', 'storage', 'mapping', 'ledger', 'kafka']),
    down('metrics', ['base', 'fs', 'storage', 'ledger', 'sink', 'kafka']),
    down('http', ['base']),
    down('config', ['base', 'storage', 'mapping']),
    down('logging', ['base']),
    down('app', [
      'base',
      'fs',
      'storage',
      'mapping',
      'ledger',
      'kafka',
      'sink',
      'metrics',
      'http',
      'config',
      'logging',
    ]),
    door('storage'),
    oneRoom('kafkajs', 'kafka'),
    oneRoom('prom-client', 'metrics'),
    oneRoom('convict', 'config'),
    oneRoom('yaml', 'config'),
    oneRoom('pino', 'logging'),
    oneRoom('protobufjs', 'storage'),
    oneRoom('@node-rs/crc32', 'base'),
    oneRoom('hash-wasm', 'base'),
    oneRoom('fzstd', 'base'),
    oneRoom('commander', 'cli'),
    oneRoom('fs-native-extensions', 'fs'),
    {
      name: 'disk-only-through-fs',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(fs|config|cli)/' },
      to: { path: '^(node:)?fs(/promises)?$' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'independent-readers-import-nothing-of-ours',
      severity: 'error',
      from: { path: '^test/support/independent/' },
      to: { path: '^src/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
