/** How Sediment's starts after visits of the server ended. */
export interface VisitOutcome {
  /** Everything there, nothing twice, and it went on. */
  right: number
  wrong: number
  refused: number
}

/** Every number is counted from processes, files and answers. */
export interface InteropReport {
  seed: number
  serverVersion: string
  /** Killed directories that were opened in the server. */
  killed: number
  killedInRecovery: number
  killedWhileStopping: number
  /** Directories after a clean stop, by how it stopped. */
  settled: number
  folded: number
  unfolded: number
  writer: {
    seals: number
    checkpoints: number
    late: number
    reopened: number
    directBytes: number
    relabelled: number
    removed: number
    /** Messages that were durable when their process died, and not acknowledged. */
    durableUnacknowledged: number
  }
  /** Acknowledged records that the server showed right, by query and by time. */
  recordsInServer: number
  inFlightInServer: number
  server: {
    written: number
    relabelled: number
    removed: number
    bucketsMade: number
    stops: number
    kills: number
    /** Records and changes that the server had acknowledged and did not show itself when it was started again. */
    lostByItself: number
  }
  /** Records whose content the server had cut off between a kill and a start; written again by their number. */
  owed: number
  /** By what the server did. */
  visits: Record<string, VisitOutcome>
  /** Visited directories that went on living: later kills, visits and recoveries were of these. */
  visitsContinued: number
  recordsInSediment: number
  /** Directories that the server opened once more after Sediment had settled them. */
  returned: number
  /** Records of blocks that Sediment saved after a visit: with and without the CRC-32 that the server had dropped. */
  checksums: { savedWith: number; savedWithout: number; othersWithout: number }
  /** Promises that are known not to hold yet: counted, shown, and no failure. */
  open: {
    /** Records removed through the server, between a kill of ours and our restart, that the log brought back. */
    removedCameBack: number
    visitsWithRemovedCameBack: number
  }
  failures: string[]
}

export function emptyReport(seed: number): InteropReport {
  return {
    seed,
    serverVersion: '',
    killed: 0,
    killedInRecovery: 0,
    killedWhileStopping: 0,
    settled: 0,
    folded: 0,
    unfolded: 0,
    writer: {
      seals: 0,
      checkpoints: 0,
      late: 0,
      reopened: 0,
      directBytes: 0,
      relabelled: 0,
      removed: 0,
      durableUnacknowledged: 0,
    },
    recordsInServer: 0,
    inFlightInServer: 0,
    server: { written: 0, relabelled: 0, removed: 0, bucketsMade: 0, stops: 0, kills: 0, lostByItself: 0 },
    owed: 0,
    visits: {},
    visitsContinued: 0,
    recordsInSediment: 0,
    returned: 0,
    checksums: { savedWith: 0, savedWithout: 0, othersWithout: 0 },
    open: { removedCameBack: 0, visitsWithRemovedCameBack: 0 },
    failures: [],
  }
}

export function reportLines(report: InteropReport): string[] {
  const { writer, server, checksums, visits } = report
  return [
    `ReductStore ${report.serverVersion}, seed ${report.seed}`,
    `${report.killed} killed directories (${report.killedInRecovery} in recovery, ${report.killedWhileStopping} while ` +
      `stopping), ${report.settled + report.folded} clean, ${report.unfolded} stopped without folding`,
    `by us: ${writer.seals} seals, ${writer.checkpoints} checkpoints, ${writer.late} late records, ${writer.reopened} ` +
      `blocks reopened, ${writer.directBytes} bytes ahead of their frame, ${writer.relabelled} label updates, ` +
      `${writer.removed} removals, ${writer.durableUnacknowledged} records durable and not acknowledged`,
    `in the server: ${report.recordsInServer} acknowledged records right by query and by time, ` +
      `${report.inFlightInServer} of a group in flight`,
    `by the server: ${server.written} records, ${server.relabelled} label updates, ${server.removed} removals, ` +
      `${server.bucketsMade} buckets; ${server.stops} stops, ${server.kills} kills; ${server.lostByItself} lost by itself`,
    `in Sediment after visits: ${report.recordsInSediment} records right; ${report.visitsContinued} visited directories ` +
      `lived on, ${report.returned} went back to the server; ${report.owed} records with cut content written again`,
    ...Object.keys(visits)
      .sort()
      .map((what) => `  ${what}: ${outcomeText(visits[what] as VisitOutcome)}`),
    `checksums: of blocks saved since a visit ${checksums.savedWith} records have one, ${checksums.savedWithout} not; ` +
      `of the others ${checksums.othersWithout} not`,
    ...openLines(report),
    ...report.failures.map((failure) => `FAILED: ${failure}`),
  ]
}

function outcomeText({ right, wrong, refused }: VisitOutcome): string {
  const parts = [`${right} right`]
  if (wrong > 0) parts.push(`${wrong} WRONG`)
  if (refused > 0) parts.push(`${refused} REFUSED`)
  return parts.join(', ')
}

function openLines({ open, checksums }: InteropReport): string[] {
  const lines: string[] = []
  if (open.removedCameBack > 0) {
    lines.push(
      `!!!! OPEN: ${open.removedCameBack} records removed through the server came back in ` +
        `${open.visitsWithRemovedCameBack} visits between a kill and a start: the log still had them`,
    )
  }
  if (checksums.savedWithout > 0) {
    lines.push(
      `!!!! OPEN: ${checksums.savedWithout} records of blocks saved since a visit have no CRC-32 of their content`,
    )
  }
  return lines
}
