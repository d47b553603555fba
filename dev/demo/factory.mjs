/** What the demo feeds: the messages of a small factory, as its machines would send them. */
import { crc32 } from 'node:zlib'
import { commentJpeg, encodeJpeg } from './jpeg.mjs'

/** Topics by what they carry. `perSecond` is a steady, small load. */
export const topics = {
  sensors: { partitions: 4, perSecond: 400, isText: false },
  camera: { partitions: 2, perSecond: 4, isText: false },
  logs: { partitions: 3, perSecond: 100, isText: true },
  devices: { partitions: 1, perSecond: 4, isText: true },
}

const machines = Array.from({ length: 24 }, (_, index) => `press-${String(index + 1).padStart(2, '0')}`)
const channels = ['temperature', 'pressure', 'vibration', 'current', 'torque', 'flow', 'humidity', 'speed']
const pictureSteps = [5, 6, 8, 10, 12, 15]

const any = (list) => list[Math.floor(Math.random() * list.length)]

/** A workpiece on a belt, with the noise of a cheap camera: 60 to 250 kB. */
function picture(index) {
  const centre = 80 + index * 90
  return encodeJpeg(
    640,
    480,
    (x, y) => {
      const base = (x - centre) ** 2 + (y - 240) ** 2 < 6400 ? 205 : 50 + x / 8 + y / 6
      return Math.max(0, Math.min(255, base + (Math.random() - 0.5) * 20))
    },
    pictureSteps[index],
  )
}

const pictures = pictureSteps.map((_, index) => picture(index))

/** Eight channels of one machine share a timestamp; some come late, a few from a machine that was offline. */
function sensorFrame(number, nowMs) {
  const round = Math.floor(number / channels.length)
  const channel = number % channels.length
  const machine = machines[round % machines.length]
  const chance = (crc32(`${round}`) % 1000) / 1000
  const lateMs = chance < 0.004 ? 30_000 + chance * 60_000_000 : chance < 0.1 ? chance * 10_000 : 0
  const samples = 16 + (round % 3) * 16
  const value = Buffer.alloc(16 + samples * 4)
  value.write('SNSR')
  value.writeUInt16LE(channel, 4)
  value.writeUInt16LE(samples, 6)
  value.writeBigUInt64LE(BigInt(number), 8)
  for (let at = 0; at < samples; at++) {
    value.writeFloatLE(20 + channel * 7 + Math.sin((number + at) / 40) + Math.random() / 10, 16 + at * 4)
  }
  return {
    key: Buffer.from(machine),
    value,
    headers: { channel: channels[channel], hop: ['gateway-1', any(['edge-3', 'edge-4'])], schema: '2' },
    timestampMs: Math.floor(nowMs - lateMs),
  }
}

function cameraFrame(number, nowMs) {
  const camera = number % 2 === 0 ? 'inlet' : 'outlet'
  const body = pictures[Math.floor(number / 2) % pictures.length]
  return {
    key: Buffer.from(camera),
    value: commentJpeg(body, `${camera} frame ${number}`),
    headers: { frame: String(number), verdict: Math.random() < 0.03 ? 'reject' : 'pass' },
    timestampMs: nowMs,
  }
}

function logLine(number, nowMs) {
  const level = Math.random() < 0.02 ? 'error' : Math.random() < 0.1 ? 'warn' : 'info'
  const service = any(['plc', 'scheduler', 'vision', 'warehouse'])
  const line = {
    at: new Date(nowMs).toISOString(),
    level,
    service,
    request: crc32(`${number}`).toString(16),
    durationMs: Math.round(Math.random() * 4000) / 10,
    message: level === 'error' ? 'no answer from the press within 2 s' : 'order moved to the next station',
  }
  return {
    key: number % 50 === 0 ? null : Buffer.from(service),
    value: Buffer.from(number % 500 === 499 ? '' : JSON.stringify(line)),
    headers: { level, tag: ['line-2', 'shift-b'] },
    timestampMs: nowMs,
  }
}

/** A changelog: the state of a machine by its name, and a tombstone when it is taken out. */
function deviceState(number, nowMs) {
  const machine = machines[number % machines.length]
  const isTakenOut = number % 12 === 11
  const state = { machine, firmware: `4.${number % 9}.1`, toolWear: Math.round(Math.random() * 100) / 100 }
  return {
    key: Buffer.from(machine),
    value: isTakenOut ? null : Buffer.from(JSON.stringify(state)),
    headers: isTakenOut ? { reason: 'decommissioned' } : {},
    timestampMs: nowMs,
  }
}

const makers = { sensors: sensorFrame, camera: cameraFrame, logs: logLine, devices: deviceState }

/**
 * Makes messages `{ key, value, headers, timestampMs }`, key and value bytes or null. Equal timestamps, late records,
 * repeated headers, null keys, empty values and tombstones are all in there.
 */
export class Factory {
  #made = { sensors: 0, camera: 0, logs: 0, devices: 0 }

  /** @param {keyof typeof topics} kind */
  make(kind, nowMs) {
    return makers[kind](this.#made[kind]++, nowMs)
  }
}
