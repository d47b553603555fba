/**
 * Mistakes planted into a copy of the engine, one at a time: what each step of the write and recovery protocol is
 * for. `find` must stand in `file` exactly once. The simulation has to notice every one; where two steps cover each
 * other, the mistake is to leave out both.
 *
 * @typedef {{ file: string, find: string, put: string }} Patch
 * @typedef {{ name: string, patches: Patch[], simulation?: 'changes' }} Mutant
 */

const log = 'src/storage/commitlog/commit-log.ts'
const group = 'src/storage/commitlog/group-commit.ts'
const directContent = 'src/storage/commitlog/direct-content.ts'
const namelessContent = 'src/storage/recovery/nameless-content.ts'
const checkpointer = 'src/storage/commitlog/checkpointer.ts'
const projector = 'src/storage/commitlog/projector.ts'
const frame = 'src/storage/commitlog/frame.ts'
const fold = 'src/storage/block/fold.ts'
const block = 'src/storage/block/block.ts'
const catalogue = 'src/storage/catalogue.ts'
const entry = 'src/storage/entry.ts'
const gate = 'src/storage/write-gate.ts'
const opening = 'src/storage/opening.ts'
const scanLog = 'src/storage/recovery/scan-log.ts'
const recover = 'src/storage/recovery/recover.ts'
const apply = 'src/storage/recovery/apply.ts'
const redo = 'src/storage/recovery/redo-files.ts'
const replaceFiles = 'src/fs/replace-files.ts'
const writeAll = 'src/fs/write-all.ts'

const changer = 'src/storage/commitlog/block-changer.ts'
const manager = 'src/storage/block/block-manager.ts'
const removal = 'src/storage/mutation/remove-records.ts'
const rewrite = 'src/storage/mutation/rewrite-block.ts'
const scanBlocks = 'src/storage/recovery/scan-blocks.ts'
const openStore = 'src/storage/open-store.ts'
const liveBlocks = 'src/storage/query/live-blocks.ts'
const moving = 'src/storage/mutation/moving.ts'
const relocate = 'src/storage/mutation/relocate.ts'
const upload = 'src/storage/upload/record-upload.ts'
const uploads = 'src/storage/upload/uploads.ts'
const victim = 'src/storage/quota/choose-victim.ts'
const checksums = 'src/storage/mutation/add-checksums.ts'
const owedRecords = 'src/storage/upload/owed-records.ts'
const merging = 'src/storage/recovery/merge-into-descriptor.ts'

const ofChanges = (name, file, find, put) => ({ name, patches: [{ file, find, put }], simulation: 'changes' })
const one = (name, file, find, put) => ({ name, patches: [{ file, find, put }] })

const appendFrame =
  "await writeAllAndSync(this.#fs, 'log', [{ file: this.#file, atBytes: this.#atBytes, bytes: frame }])"
const writeFrame = appendFrame.replace('writeAllAndSync', 'writeAll')
const writeCheckpoint = "await atomicWrite(fs, paths.checkpoint, 'log', encodeCheckpoint(checkpoint))"
const writeSettings = `await atomicWrite(this.#fs, path, 'descriptor', encodeCheckedBucketSettings(settings))
    bucket.settings`
const finishUpload = 'await commit({ entries: joinedEdits([finished, ...others]) })'
const contents = "else if (plan.kind === 'open' || !(await isMoved(fs, paths, facts)))"
const syncDirty =
  'const filesSynced = await syncAll(fs, files, directories, (path) => dirty.wasRemoved(path))'
const dropLogs = 'const logBytesDropped = await log.drop(checkpoint.firstLog)'
/** Either look alone does no harm: the other gives the fold up. */
const foldsHeld = [
  {
    file: fold,
    find: 'block.pendingGroups > 0 || block.holds > 0) return false',
    put: 'block.pendingGroups > 0) return false',
  },
  {
    file: fold,
    find: 'block.reservations === reservations && block.holds === 0',
    put: 'block.reservations === reservations',
  },
]
const importWriteAll = (file) => ({
  file,
  find: "import { dirname } from 'node:path'",
  put: "import { dirname } from 'node:path'\nimport { writeAll as writeEverything } from '../../fs/write-all.ts'",
})
/** `atomicWrite` spelled out, so that one of its steps can be left out in one place only. */
const replaceFile = (path, kind, bytes, left) =>
  [
    `await fs.unlink(\`\${${path}}.tmp\`)`,
    `await writeEverything(fs, 'projection', [{ file: { path: \`\${${path}}.tmp\`, kind: '${kind}' }, atBytes: 0, bytes: ${bytes} }])`,
    left === 'sync' ? '' : `await fs.syncFiles([{ path: \`\${${path}}.tmp\`, kind: '${kind}' }])`,
    `await fs.rename(\`\${${path}}.tmp\`, ${path})`,
    left === 'directory' ? '' : `await fs.syncDirectories([dirname(${path})])`,
  ].join('\n    ')

/** `replaceFiles` spelled out in recovery, so that one of its steps can be left out there only. */
const replaceInRecovery = (left) => ({
  file: apply,
  find: "import { replaceFiles, type Replacement } from '../../fs/replace-files.ts'",
  put: `import type { Replacement } from '../../fs/replace-files.ts'
import { writeAll as writeEverything } from '../../fs/write-all.ts'
async function replaceFiles(fs: FileSystem, files: readonly Replacement[]): Promise<void> {
  const written = files.map(({ file: { path, kind }, bytes }) => ({
    file: { path: \`\${path}.tmp\`, kind },
    atBytes: 0,
    bytes,
  }))
  await writeEverything(fs, 'projection', written)
  ${left === 'sync' ? '' : 'await fs.syncFiles(written.map(({ file }) => file))'}
  for (const { file } of files) await fs.rename(\`\${file.path}.tmp\`, file.path)
  ${left === 'directories' ? '' : 'await fs.syncDirectories(files.map(({ file }) => dirname(file.path)))'}
}`,
})

/** @type {Mutant[]} */
export const mutants = [
  // The log.
  {
    name: 'acknowledged before the log is synced',
    patches: [
      { file: log, find: appendFrame, put: writeFrame },
      { file: log, find: 'import { writeAllAndSync }', put: 'import { writeAll, writeAllAndSync }' },
    ],
  },
  one(
    'failed log sync tried again',
    gate,
    'return this.#change(() => this.#fs.writeAndSync(lane, ops))',
    `return this.#change(() =>
      this.#fs.writeAndSync(lane, ops).catch(async (error: unknown) => {
        if (!(error instanceof FileSystemError) || error.call !== 'sync') throw error
        await this.#fs.syncFiles([...new Map(ops.map(({ file }) => [file.path, file])).values()])
        return ops.map(({ bytes }) => bytes.byteLength)
      }),
    )`,
  ),
  one(
    'new log without directory sync',
    log,
    'await this.#fs.syncDirectories([this.#paths.logDirectory])',
    '',
  ),
  one(
    'frame CRC not checked',
    frame,
    'if (crc64(bytes.subarray(0, chainAt)) !== chain) return undefined',
    '',
  ),
  one(
    'content CRC of frames not checked',
    scanLog,
    'if (!(await contentsMatch(window, atBytes, frame)))',
    'if (false)',
  ),
  one(
    'torn log header taken for damage',
    scanLog,
    'if (header === undefined || header.number !== number) continue',
    "if (header === undefined || header.number !== number) {\n      damage.push('torn header')\n      break\n    }",
  ),
  one('log header alone replaces older frames', scanLog, 'if (read.length > 0)\n', 'if (read.length >= 0)\n'),
  {
    name: 'offsets ahead of the data',
    patches: [
      {
        file: group,
        find: '    for (const { delta } of built.submissions) if (delta !== undefined) companion?.apply(delta)\n',
        put: '',
      },
      {
        file: group,
        find: '    return new Promise((resolve, reject) => {\n      this.#queue.push(',
        put: '    if (submission.delta !== undefined) this.#options.companion?.apply(submission.delta)\n    return new Promise((resolve, reject) => {\n      this.#queue.push(',
      },
    ],
  },
  one(
    'acknowledged before projection',
    group,
    'const projection = projector.project(built).then(',
    'for (const submission of built.submissions) submission.resolve()\n    const projection = projector.project(built).then(',
  ),

  // Content that goes home before its frame.
  {
    name: 'direct content not synced before its frame',
    patches: [
      {
        file: directContent,
        find: "writeAllAndSync(\n        this.#fs,\n        'projection',\n        laidOut.map(",
        put: "writeAll(\n        this.#fs,\n        'projection',\n        laidOut.map(",
      },
    ],
  },
  one(
    'content ahead of its frame is not noted',
    directContent,
    '    if (nameless.length > 0) await this.#note(nameless, sequence)\n',
    '',
  ),
  one(
    'content ahead of its frame is noted too late',
    directContent,
    '    if (nameless.length > 0) await this.#note(nameless, sequence)\n',
    '    if (nameless.length > 0) void this.#note(nameless, sequence)\n',
  ),
  one(
    'removal of content ahead is not synced before its note goes',
    namelessContent,
    '  if (directories.size > 0) await fs.syncDirectories([...directories])\n',
    '',
  ),
  one('frame does not wait for its direct content', group, '    await direct\n', ''),
  one(
    'direct content beyond a frame buffer not synced',
    directContent,
    'await this.#fs.syncFiles(blocks.map(({ block }) => block.data))',
    '',
  ),
  one('direct content: name not synced', directContent, 'if (unnamed.length === 0) return', 'return'),
  one('name durable because this process made it', block, 'isNameDurable = false', 'isNameDurable = true'),
  one('entry directory trusted because it is seen', entry, 'isNameDurable = false', 'isNameDurable = true'),
  one(
    'entry directories not synced',
    catalogue,
    'await this.#fs.syncDirectories(distinct.slice(from, from + SYNCED_AT_ONCE))',
    '',
  ),

  // The projection.
  one(
    'flip byte written first',
    projector,
    'ops.push({ file: block.wal, atBytes: walAtBytes + 1, bytes: entries.subarray(1) })\n        ops.push({ file: block.wal, atBytes: walAtBytes, bytes: entries.subarray(0, 1) })',
    'ops.push({ file: block.wal, atBytes: walAtBytes, bytes: entries.subarray(0, 1) })\n        ops.push({ file: block.wal, atBytes: walAtBytes + 1, bytes: entries.subarray(1) })',
  ),
  one(
    'WAL before content',
    projector,
    "await writeAll(this.#fs, 'projection', ops)",
    "await writeAll(this.#fs, 'projection', [...ops.filter(({ file }) => file.kind !== 'data'), ...ops.filter(({ file }) => file.kind === 'data')])",
  ),
  {
    name: 'index CRC kept while a WAL exists',
    patches: [
      {
        file: projector,
        find: 'if (!block.isListedOpen)',
        put: 'if (!block.isListedOpen && block.baseCrc64 === undefined)',
      },
      {
        file: fold,
        find: 'if (!block.isListedOpen) await projector.run(() => listOpen(block, context))',
        put: '',
      },
    ],
  },
  one(
    'short write ignored',
    writeAll,
    'if (shortIndex === -1) return',
    'if (shortIndex === -1 || (counts[shortIndex] ?? 0) > 0) return',
  ),
  {
    name: 'goes on after a failure',
    patches: [{ file: gate, find: '    if (this.#failure === undefined) return\n', put: '    return\n' }],
  },

  // The checkpoint.
  {
    name: 'checkpoint before its data is synced',
    patches: [
      { file: checkpointer, find: `${syncDirty}\n`, put: '' },
      { file: checkpointer, find: writeCheckpoint, put: `${writeCheckpoint}\n    ${syncDirty}` },
    ],
  },
  one(
    'checkpoint does not sync its data',
    checkpointer,
    syncDirty,
    'const filesSynced = files.size + directories.size',
  ),
  one(
    'checkpoint does not sync directories',
    checkpointer,
    'const paths = [...directories]',
    'const paths: string[] = []',
  ),
  {
    name: 'log dropped before the data is synced',
    patches: [
      { file: checkpointer, find: syncDirty, put: `${dropLogs}\n    ${syncDirty}` },
      { file: checkpointer, find: `${dropLogs}\n    observer`, put: 'observer' },
    ],
  },
  {
    name: 'checkpoint not synced before its rename',
    patches: [
      {
        file: checkpointer,
        find: writeCheckpoint,
        put: replaceFile('paths.checkpoint', 'log', 'encodeCheckpoint(checkpoint)', 'sync'),
      },
      importWriteAll(checkpointer),
    ],
  },
  {
    name: 'checkpoint renamed without directory sync',
    patches: [
      {
        file: checkpointer,
        find: writeCheckpoint,
        put: replaceFile('paths.checkpoint', 'log', 'encodeCheckpoint(checkpoint)', 'directory'),
      },
      importWriteAll(checkpointer),
    ],
  },
  one(
    'callers behind a failed checkpoint forgotten',
    group,
    'for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {',
    'for (const job of this.#jobs.splice(0)) {',
  ),
  one(
    'checkpoint does not wait for projection',
    checkpointer,
    'await projector.run(() => Promise.resolve(dirty.take()))',
    'dirty.take()',
  ),
  one(
    'two checkpoints at once',
    checkpointer,
    '    await this.#running\n    const { log, manager',
    '    const { log, manager',
  ),

  // Folding.
  // Either alone does no harm: a folded block has its content in the log until a checkpoint has synced it.
  {
    name: 'fold and recovery both trust the content',
    patches: [
      { file: fold, find: 'await fs.syncFiles([block.data])', put: '' },
      {
        file: apply,
        find: contents,
        put: "else if (plan.kind === 'open')",
      },
    ],
  },
  {
    name: 'fold: descriptor not synced before its rename',
    patches: [
      {
        file: fold,
        find: "await atomicWrite(fs, path, 'descriptor', merged.bytes)",
        put: replaceFile('path', 'descriptor', 'merged.bytes', 'sync'),
      },
      importWriteAll(fold),
    ],
  },
  {
    name: 'fold: no directory sync after the rename',
    patches: [
      {
        file: fold,
        find: "await atomicWrite(fs, path, 'descriptor', merged.bytes)",
        put: replaceFile('path', 'descriptor', 'merged.bytes', 'directory'),
      },
      importWriteAll(fold),
    ],
  },
  {
    name: 'fold with groups that are not projected',
    patches: [
      {
        file: fold,
        find: 'block.pendingGroups > 0 || block.holds > 0) return false',
        put: 'block.holds > 0) return false',
      },
      {
        file: fold,
        find: 'assert(\n      merged.recordCount === block.recordCount,',
        put: 'assert(\n      true,',
      },
    ],
  },
  one(
    'fold without its second looks',
    fold,
    'block.reservations === reservations',
    'block.reservations >= reservations',
  ),
  one('fold of a block that is cold by now', fold, 'if (!isOpen || ', 'if ('),
  // Either alone does no harm: recovery lists anew whatever checkpoint and frames mention.
  {
    name: 'fold and recovery both trust the index',
    patches: [
      { file: fold, find: 'await fs.syncFiles([entry.indexFile.file])', put: '' },
      { file: apply, find: 'return [await newIndex(fs, paths, entryBlocks)]', put: 'return []' },
    ],
  },

  // Recovery.
  one(
    'repeated frame without its padding',
    recover,
    'const frame = new Uint8Array(last.bytes)\n    frame.set(await fs.read(last.logPath, last.atBytes, last.bytes))',
    'const frame = await fs.read(last.logPath, last.atBytes, last.bytes)',
  ),
  one('recovery does not sync files', apply, 'await fs.syncFiles(touched)', ''),
  // Either alone does no harm: the index and the WALs are replaced in the very directories that are synced at the end.
  {
    name: 'recovery does not sync directories',
    patches: [
      { file: apply, find: 'await fs.syncDirectories([...directories])', put: '' },
      replaceInRecovery('directories'),
    ],
  },
  {
    name: 'recovery projects before its log is durable',
    patches: [
      { file: recover, find: '  await applyPlans(fs, paths.root, plan.blocks, plan.damage)\n', put: '' },
      {
        file: recover,
        find: '  const log = await CommitLog.begin(',
        put: '  await applyPlans(fs, paths.root, plan.blocks, plan.damage)\n  const log = await CommitLog.begin(',
      },
    ],
  },
  {
    name: 'recovery drops logs before its checkpoint',
    patches: [
      {
        file: opening,
        find: `${writeCheckpoint}\n  await log.dropOlder()`,
        put: `await log.dropOlder()\n  ${writeCheckpoint}`,
      },
    ],
  },
  one(
    'recovery believes content that is there',
    apply,
    contents,
    'else if ((await fs.fileBytes(data.path)) === undefined)',
  ),
  one(
    'recovery believes content in the cache',
    redo,
    'ops.push({ file: data, atBytes: item.blkAtBytes, bytes })',
    `const found = await fs.read(data.path, item.blkAtBytes, item.contentBytes).catch(() => undefined)
    if (found !== undefined && Buffer.compare(found, bytes) === 0) continue
    ops.push({ file: data, atBytes: item.blkAtBytes, bytes })`,
  ),
  one(
    'recovery believes entries in the cache',
    apply,
    "if (plan.kind === 'open' && plan.rewrite) wals.push",
    "if (plan.kind === 'open' && plan.rewrite && facts.wal?.endsWithMarker !== true) wals.push",
  ),
  one(
    'recovery cuts the WAL first',
    redo,
    'bytes[atBytes] = walStopMarker',
    'bytes[atBytes] = walStopMarker\n  await fs.truncate(file, plan.keepWalBytes).catch(() => undefined)',
  ),

  // Every file that is replaced.
  { name: 'recovery does not sync files before it renames them', patches: [replaceInRecovery('sync')] },
  one('replaced files not synced before the rename', replaceFiles, 'await fs.syncFiles(files)', ''),
  one(
    'replaced files: no directory sync',
    replaceFiles,
    'await fs.syncDirectories([...new Set(replacements.map(({ file }) => dirname(file.path)))])',
    '',
  ),

  // Changes of whole blocks and labels.
  ofChanges('records removed while the index holds the CRC', changer, 'await this.#list(entry, crcless)', ''),
  ofChanges(
    'WAL of a folded block comes back over a stripped descriptor',
    removal,
    'await context.syncWalDirectory(entry)',
    '',
  ),
  ofChanges('block removed without its intent', changer, 'await replaceFiles(this.#fs, intents)', ''),
  ofChanges(
    'id of a removed block used again',
    manager,
    'entry.lingering.has(id) || (this.#retired.get(entry)?.has(id) ?? false)',
    'entry.lingering.has(id)',
  ),
  ofChanges(
    'recovery forgets changes of blocks',
    scanBlocks,
    'for (const logged of frame.changes)',
    'for (const logged of frame.changes.slice(1))',
  ),
  ofChanges(
    'recovery changes a descriptor while the index holds its CRC',
    apply,
    'await unlistCrc(fs, paths, id)',
    '',
  ),
  ofChanges(
    'changed labels count as folded by time and length',
    scanBlocks,
    'if (!isSameContent || type !== walEntryType.updateRecord) return isSameContent',
    'if (type >= 0) return isSameContent',
  ),
  ofChanges(
    'staged block not synced',
    rewrite,
    'await fs.syncFiles(staged.flatMap(({ files }) => files))',
    '',
  ),
  ofChanges(
    'names of staged blocks not synced',
    rewrite,
    'await fs.syncDirectories([paths.staged, paths.sediment])',
    '',
  ),
  ofChanges(
    'old blocks go before their parts are listed',
    changer,
    "await this.#adopt(changes.filter((one) => isOf(one, 'adopt')))",
    "await this.#drop(changes.filter((one) => isOf(one, 'drop')), sequence)\n" +
      "    await this.#adopt(changes.filter((one) => isOf(one, 'adopt')))",
  ),
  ofChanges(
    'old blocks go in a frame of their own, first',
    rewrite,
    'await commit({ changes: decided.valid.flatMap(changesOf) })',
    'await commit({ changes: decided.valid.flatMap((one) => changesOf(one).slice(-1)) })\n' +
      '      await commit({ changes: decided.valid.flatMap((one) => changesOf(one).slice(0, -1)) })',
  ),
  ofChanges(
    'changes do not wait for the projection before them',
    group,
    'await this.#projected()\n        try {',
    'try {',
  ),
  ofChanges(
    'names of removed files left out of the checkpoint',
    changer,
    'this.#dirty.directory(dirname(path))',
    '',
  ),

  // Quotas.
  ofChanges(
    'evicted blocks left out of the frame',
    group,
    '      { changes },\n',
    '      { changes: [] },\n',
  ),
  ofChanges(
    'blocks evicted while their frame is written',
    group,
    'await log.append(built.frame, { sequence: built.sequence, chain: built.chain })',
    `if (built.submissions.length > 0 && built.changes.length > 0)
      await projector.project({ ...built, blocks: [] })
    await log.append(built.frame, { sequence: built.sequence, chain: built.chain })`,
  ),
  {
    name: 'block evicted that content is uploaded into',
    patches: [
      { file: victim, find: 'open.pendingGroups > 0 || open.holds > 0', put: 'open.pendingGroups > 0' },
      ...foldsHeld,
    ],
    simulation: 'changes',
  },

  // Buckets and entries as a whole.
  ofChanges('moved without a checkpoint', relocate, 'await context.checkpoint()\n', ''),
  ofChanges(
    'moved with open blocks',
    relocate,
    'for (const block of [...entry.open.values()]) if (!(await context.close(block))) throw uploadRuns(entry)',
    '',
  ),
  ofChanges('directories of a move not synced', moving, 'await fs.syncDirectories(isThere)', ''),
  ofChanges(
    'made parents not noted',
    relocate,
    '[...parents, ...left, dirname(toDirectory), dirname(fromDirectory)]',
    '[dirname(toDirectory), dirname(fromDirectory)]',
  ),
  ofChanges(
    'empty directories of a move not removed by the next open',
    openStore,
    'await settleMove(fs, paths)',
    '',
  ),
  ofChanges(
    'left directory removed before the move out of it is durable',
    moving,
    'await syncThere(fs, touched)\n  for',
    'for',
  ),
  ofChanges(
    'note of a move removed before the directories that it left are durably gone',
    moving,
    'await syncThere(fs, touched)\n  await fs.unlink',
    'await fs.unlink',
  ),
  ofChanges(
    'what was removed is not deleted by the next open',
    catalogue,
    "(item.name.startsWith('new-') || isRemovedName(item.name))",
    "(item.name.startsWith('new-') || (isRemovedName(item.name) && item.name === ''))",
  ),
  ofChanges(
    'block read from the cache of one that had its place',
    liveBlocks,
    '`open ${open.life} ${open.walProjectedBytes}`',
    '`open ${open.baseCrc64} ${open.walProjectedBytes}`',
  ),

  // Uploads.
  ofChanges(
    'range of an upload not logged',
    uploads,
    'await commit({ entries: [{ block, entries, recordCount: 1 }] })',
    '',
  ),
  {
    name: 'upload finished before its content is synced',
    patches: [
      { file: upload, find: 'if (contentBytes > 0) await fs.syncFiles([block.data])', put: '' },
      { file: upload, find: ', ...(direct && { direct })', put: '' },
      {
        file: upload,
        find: 'const direct = contentBytes > 0 ? { blkAtBytes: beginBytes, contentBytes } : undefined',
        put: '',
      },
    ],
    simulation: 'changes',
  },
  { name: 'block folded that content is uploaded into', patches: foldsHeld, simulation: 'changes' },
  ofChanges(
    'upload finished without a frame',
    upload,
    finishUpload,
    `if (direct === undefined) ${finishUpload}`,
  ),

  // Attachments.
  ofChanges(
    'attachment taken away in a frame before that of the new one',
    upload,
    finishUpload,
    `if (others.length > 0) await commit({ entries: joinedEdits([...others]) })
          await commit({ entries: joinedEdits([finished]) })`,
  ),
  ofChanges(
    'attachment taken away in a frame behind that of the new one',
    upload,
    finishUpload,
    `await commit({ entries: joinedEdits([finished]) })
          if (others.length > 0) await commit({ entries: joinedEdits([...others]) })`,
  ),

  // Settings.
  ...['sync', 'directory'].map((left) => ({
    name: `changed settings: no ${left === 'sync' ? 'sync before the rename' : 'directory sync'}`,
    patches: [
      {
        file: catalogue,
        find: writeSettings,
        put: `const fs = this.#fs
    ${replaceFile('path', 'descriptor', 'encodeCheckedBucketSettings(settings)', left)}
    bucket.settings`,
      },
      {
        file: catalogue,
        find: "import { atomicWrite } from '../fs/atomic-write.ts'",
        put: `import { dirname } from 'node:path'
import { atomicWrite } from '../fs/atomic-write.ts'
import { writeAll as writeEverything } from '../fs/write-all.ts'`,
      },
    ],
    simulation: /** @type {const} */ ('changes'),
  })),
  ofChanges(
    'bucket has its name before its settings',
    catalogue,
    `await atomicWrite(this.#fs, staging.settings, 'descriptor', encodeCheckedBucketSettings(settings))
    await this.#fs.rename(staging.directory, final.directory)`,
    `await this.#fs.rename(staging.directory, final.directory)
    await atomicWrite(this.#fs, final.settings, 'descriptor', encodeCheckedBucketSettings(settings))`,
  ),

  // CRC-32s that are added again.
  ofChanges(
    'CRC-32s added while the index holds the CRC',
    changer,
    'await this.#list(entry, crcless)',
    "if (change.kind !== 'checksum') await this.#list(entry, crcless)",
  ),
  ofChanges(
    'WAL of a folded block comes back over a descriptor with added CRC-32s',
    checksums,
    'await context.syncWalDirectory(entry)',
    '',
  ),
  ofChanges(
    'CRC-32s added to a block that has changed meanwhile',
    checksums,
    'if (coldBlock(context, entry, id)?.crc64 !== baseCrc64) return false',
    '',
  ),
  ofChanges(
    'recovery forgets added CRC-32s',
    scanBlocks,
    'for (const logged of frame.changes) Object',
    "for (const logged of frame.changes) if (logged.change.kind !== 'checksum') Object",
  ),

  // What a visit of ReductStore leaves owing.
  ofChanges(
    'owed content noted when its records have failed already',
    recover,
    `if (plan.owed.length > 0) await writeOwed(fs, paths, plan.owed)
  await applyPlans(fs, paths.root, plan.blocks, plan.damage)`,
    `await applyPlans(fs, paths.root, plan.blocks, plan.damage)
  if (plan.owed.length > 0) await writeOwed(fs, paths, plan.owed)`,
  ),
  ofChanges(
    'owed content of an earlier open forgotten',
    recover,
    `joinOwed(
    known,`,
    `joinOwed(
    [],`,
  ),
  ofChanges(
    'owed content crossed off before it is paid for',
    owedRecords,
    'await writer.write(content)',
    'this.#drop([record])\n    await this.#write()\n    await writer.write(content)',
  ),
  ofChanges(
    'WAL that ReductStore has folded comes back over the merged descriptor',
    merging,
    'await fs.syncDirectories([paths.directory, paths.walDirectory])',
    '',
  ),
]
