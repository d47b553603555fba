import $protobuf from 'protobufjs/minimal.js'

// 64-bit fields become plain numbers. Must run before a generated module is evaluated, so every importer of one
// imports this file first; times, ids and checksums, which numbers cannot hold, go through wire.ts instead.
$protobuf.util.Long = undefined as never
$protobuf.configure()
